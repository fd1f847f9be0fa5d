//! `/api/v1/privileges`.

use directory::{Privilege, Privileges};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::{given, some_at_most};
use super::junk::{self, ExceptionView};
use super::{Answer, NotChanged, Precondition, Refused};
use crate::caller::Caller;
use crate::extract::{Body, IfMatch};
use crate::problem::Problem;

/// What users may do without an administrator, and what new users get.
#[derive(Serialize, ToSchema)]
#[schema(as = Privileges)]
pub(super) struct PrivilegesView {
    /// The quota of new users in MiB; null: none; 0: no mail at all.
    #[schema(required = true)]
    default_quota_mib: Option<u64>,
    /// Folders of new users beside the INBOX.
    default_folders: Vec<String>,
    allow_profile_edit: bool,
    allow_password_change: bool,
    allow_forwarding: bool,
    allow_vacation: bool,
    allow_junk_filter: bool,
    allow_alias_create: bool,
    allow_alias_join: bool,
    allow_user_search: bool,
    /// Senders who are exceptions for everybody, beside those of each user's junk filter, which count first.
    junk_exceptions: Vec<ExceptionView>,
    /// Which state of the record this is; the same as the ETag.
    revision: String,
}

impl From<&Privileges> for PrivilegesView {
    fn from(privileges: &Privileges) -> PrivilegesView {
        PrivilegesView {
            default_quota_mib: privileges.default_quota_mib,
            default_folders: privileges.default_folders.clone(),
            allow_profile_edit: privileges.allow(Privilege::ProfileEdit),
            allow_password_change: privileges.allow(Privilege::PasswordChange),
            allow_forwarding: privileges.allow(Privilege::Forwarding),
            allow_vacation: privileges.allow(Privilege::Vacation),
            allow_junk_filter: privileges.allow(Privilege::JunkFilter),
            allow_alias_create: privileges.allow(Privilege::AliasCreate),
            allow_alias_join: privileges.allow(Privilege::AliasJoin),
            allow_user_search: privileges.allow(Privilege::UserSearch),
            junk_exceptions: junk::views(&privileges.junk_exceptions),
            revision: privileges.revision.to_string(),
        }
    }
}

/// What is to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrivilegesChange {
    /// In MiB; null: none; 0: no mail at all. Users who are there keep theirs.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    default_quota_mib: Option<Option<u64>>,
    #[serde(default, deserialize_with = "some_at_most::<20, _, _>")]
    #[schema(max_items = 20)]
    default_folders: Option<Vec<String>>,
    allow_profile_edit: Option<bool>,
    allow_password_change: Option<bool>,
    allow_forwarding: Option<bool>,
    allow_vacation: Option<bool>,
    allow_junk_filter: Option<bool>,
    allow_alias_create: Option<bool>,
    allow_alias_join: Option<bool>,
    allow_user_search: Option<bool>,
    #[serde(default, deserialize_with = "some_at_most::<100, _, _>")]
    #[schema(max_items = 100)]
    junk_exceptions: Option<Vec<ExceptionView>>,
}

impl PrivilegesChange {
    fn apply(self, privileges: &mut Privileges) -> directory::Result<()> {
        if let Some(exceptions) = &self.junk_exceptions {
            privileges.junk_exceptions = junk::parse(Privileges::JUNK_EXCEPTIONS, exceptions)?;
        }
        if let Some(quota) = self.default_quota_mib {
            privileges.default_quota_mib = quota;
        }
        if let Some(folders) = self.default_folders {
            privileges.default_folders = folders;
        }
        for (privilege, allowed) in [
            (Privilege::ProfileEdit, self.allow_profile_edit),
            (Privilege::PasswordChange, self.allow_password_change),
            (Privilege::Forwarding, self.allow_forwarding),
            (Privilege::Vacation, self.allow_vacation),
            (Privilege::JunkFilter, self.allow_junk_filter),
            (Privilege::AliasCreate, self.allow_alias_create),
            (Privilege::AliasJoin, self.allow_alias_join),
            (Privilege::UserSearch, self.allow_user_search),
        ] {
            if let Some(allowed) = allowed {
                privileges.set(privilege, allowed);
            }
        }
        Ok(())
    }
}

/// What users may do.
#[utoipa::path(
    get, path = "/api/v1/privileges", tag = "privileges", operation_id = "get_privileges",
    responses((status = 200, description = "The record", body = PrivilegesView, headers(("ETag" = String))), Refused),
)]
pub(super) async fn show(caller: Caller) -> Result<Answer<PrivilegesView>, Problem> {
    let privileges = caller.run(|_, service| Ok(service.privileges()?)).await?;
    Ok(Answer::ok(PrivilegesView::from(&privileges)).at(privileges.revision))
}

/// Changes what is given.
#[utoipa::path(
    patch, path = "/api/v1/privileges", tag = "privileges", operation_id = "change_privileges",
    params(Precondition), request_body = PrivilegesChange,
    responses((status = 200, description = "The record as it is now", body = PrivilegesView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn change(
    caller: Caller,
    expected: IfMatch,
    Body(change): Body<PrivilegesChange>,
) -> Result<Answer<PrivilegesView>, Problem> {
    caller.require_admin("change the privileges")?;
    let changed = caller.run(move |_, service| {
        let mut privileges = service.privileges()?;
        privileges.revision = expected.expect(privileges.revision)?;
        change.apply(&mut privileges)?;
        service.set_privileges(&privileges)?;
        Ok(service.privileges()?)
    });
    let privileges = changed.await?;
    Ok(Answer::ok(PrivilegesView::from(&privileges)).at(privileges.revision))
}
