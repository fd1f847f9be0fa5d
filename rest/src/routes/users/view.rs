//! Users in JSON: as they are shown, as they are made, as they are changed.

use directory::{Account, Address, Contact, ContactField, Forwarding, RemoteAddress, Service, User, UserId, UserState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::fields::{GivenPassword, Line, Password, Uid, at_most, given, some_at_most, text};
use super::automatic::{JunkFilterChange, JunkFilterView, VacationChange, VacationView};
use super::mail_of;
use crate::problem::Problem;

/// A user. What is missing is not for whoever asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(in crate::routes) struct UserView {
    #[schema(example = "joe")]
    uid: String,
    #[schema(example = "joe.smith@example.com")]
    mail: String,
    given_name: String,
    surname: String,
    display_name: String,
    /// Further addresses in the same domain.
    alternates: Vec<String>,
    contact: ContactView,
    /// Where mail goes instead, or too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ForwardingView>)]
    forwarding: Option<Option<ForwardingView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = VacationView, required = false)]
    vacation: Option<VacationView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = JunkFilterView, required = false)]
    junk_filter: Option<JunkFilterView>,
    /// Whether the user administers the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    admin: Option<bool>,
    /// Groups that access lists and aliases may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    groups: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = State, required = false)]
    state: Option<State>,
    /// The quota in MiB; null: none; 0: no mail at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    quota_limit_mib: Option<Option<u64>>,
    /// Which state of the user this is; the same as the ETag.
    revision: String,
}

/// Whether a user can log in and gets mail.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UserState)]
pub(super) enum State {
    /// The mailbox is not there yet.
    Pending,
    /// Yes.
    Active,
    /// An administrator said no.
    Disabled,
    /// The mailbox is being removed.
    Deleting,
}

impl From<UserState> for State {
    fn from(state: UserState) -> State {
        match state {
            UserState::Pending => State::Pending,
            UserState::Active => State::Active,
            UserState::Disabled => State::Disabled,
            UserState::Deleting => State::Deleting,
        }
    }
}

/// How a user is reached otherwise; what is empty is unknown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contact)]
pub(super) struct ContactView {
    title: String,
    office: String,
    business_phone: String,
    mobile_phone: String,
    home_phone: String,
    pager: String,
    fax: String,
    calendar_node: String,
}

impl From<&Contact> for ContactView {
    fn from(contact: &Contact) -> ContactView {
        let get = |field| contact.get(field).to_owned();
        ContactView {
            title: get(ContactField::Title),
            office: get(ContactField::Office),
            business_phone: get(ContactField::BusinessPhone),
            mobile_phone: get(ContactField::MobilePhone),
            home_phone: get(ContactField::HomePhone),
            pager: get(ContactField::Pager),
            fax: get(ContactField::Fax),
            calendar_node: get(ContactField::CalendarNode),
        }
    }
}

/// The same to be changed: what is given; null empties a field.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ContactChange {
    #[serde(deserialize_with = "text")]
    title: Option<String>,
    #[serde(deserialize_with = "text")]
    office: Option<String>,
    #[serde(deserialize_with = "text")]
    business_phone: Option<String>,
    #[serde(deserialize_with = "text")]
    mobile_phone: Option<String>,
    #[serde(deserialize_with = "text")]
    home_phone: Option<String>,
    #[serde(deserialize_with = "text")]
    pager: Option<String>,
    #[serde(deserialize_with = "text")]
    fax: Option<String>,
    #[serde(deserialize_with = "text")]
    calendar_node: Option<String>,
}

impl ContactChange {
    fn apply(&self, contact: &mut Contact) {
        let mut set = |field, text: &Option<String>| text.iter().for_each(|text| contact.set(field, text));
        set(ContactField::Title, &self.title);
        set(ContactField::Office, &self.office);
        set(ContactField::BusinessPhone, &self.business_phone);
        set(ContactField::MobilePhone, &self.mobile_phone);
        set(ContactField::HomePhone, &self.home_phone);
        set(ContactField::Pager, &self.pager);
        set(ContactField::Fax, &self.fax);
        set(ContactField::CalendarNode, &self.calendar_node);
    }
}

/// Where mail goes instead, or too.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Forwarding)]
pub(super) struct ForwardingView {
    /// Addresses, here or elsewhere.
    #[serde(deserialize_with = "at_most::<10, _, _>")]
    #[schema(min_items = 1, max_items = 10)]
    to: Vec<String>,
    /// Whether the INBOX gets it too.
    #[serde(default)]
    keep_copy: bool,
}

impl ForwardingView {
    fn parse(&self) -> directory::Result<Box<Forwarding>> {
        let to = self.to.iter().map(|address| RemoteAddress::parse(address));
        let to = to.collect::<Result<_, _>>().map_err(|error| error.of_field("forwarding"))?;
        Ok(Box::new(Forwarding { to, keep_copy: self.keep_copy }))
    }
}

impl UserView {
    /// What `viewer` may see of a user.
    pub(super) fn of(user: &User, viewer: &Account) -> UserView {
        let all = viewer.admin || viewer.user == user.uid;
        let texts = |list: &[Address]| list.iter().map(ToString::to_string).collect();
        let forwarding = || {
            user.forwarding.as_ref().map(|forwarding| ForwardingView {
                to: forwarding.to.iter().map(ToString::to_string).collect(),
                keep_copy: forwarding.keep_copy,
            })
        };
        UserView {
            uid: user.uid.to_string(),
            mail: user.mail.to_string(),
            given_name: user.given_name.clone(),
            surname: user.surname.clone(),
            display_name: user.display_name.clone(),
            alternates: texts(&user.alternates),
            contact: ContactView::from(&user.contact),
            forwarding: all.then(forwarding),
            vacation: all.then(|| VacationView::of(user)),
            junk_filter: all.then(|| JunkFilterView::of(user)),
            admin: all.then_some(user.admin),
            groups: all.then(|| user.groups.clone()),
            state: all.then(|| user.state.into()),
            quota_limit_mib: all.then_some(user.quota_limit_mib),
            revision: user.revision.to_string(),
        }
    }
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewUser {
    /// The login name; can't be changed.
    #[schema(value_type = Uid, example = "ann")]
    uid: String,
    /// The password.
    password: Option<Password>,
    /// Instead: its hash, as another server has kept it (`{SSHA512}...`, `$6$...`).
    #[schema(min_length = 1, max_length = 1020)]
    hash: Option<Password>,
    /// The user ID in the primary domain if it is left out.
    #[schema(example = "joe.smith@example.com")]
    mail: Option<String>,
    #[schema(value_type = Line)]
    given_name: String,
    #[schema(value_type = Line)]
    surname: String,
    /// First and last name if it is left out.
    #[schema(value_type = Option<Line>)]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "at_most::<16, _, _>")]
    #[schema(max_items = 16)]
    alternates: Vec<String>,
    #[serde(default)]
    contact: ContactChange,
    forwarding: Option<ForwardingView>,
    vacation: Option<VacationChange>,
    junk_filter: Option<JunkFilterChange>,
    #[serde(default)]
    admin: bool,
    #[serde(default, deserialize_with = "at_most::<100, _, _>")]
    #[schema(max_items = 100)]
    groups: Vec<String>,
    /// The quota in MiB; null: none; that of new users if it is left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    quota_limit_mib: Option<Option<u64>>,
}

impl NewUser {
    /// The password apart from the rest.
    pub(super) fn parts(mut self) -> Result<(NewUser, GivenPassword), Problem> {
        let password = GivenPassword::either(self.password.take(), self.hash.take())?;
        Ok((self, password))
    }

    /// The row to be made.
    pub(super) fn user(&self, service: &Service<'_>) -> Result<User, Problem> {
        let uid = UserId::parse(&self.uid)?;
        let mail = mail_of(service, &uid, self.mail.as_deref())?;
        let mut user = User::new(uid, mail, &self.given_name, &self.surname);
        if let Some(name) = &self.display_name {
            user.display_name.clone_from(name);
        }
        user.alternates = addresses(&self.alternates)?;
        self.contact.apply(&mut user.contact);
        user.forwarding = self.forwarding.as_ref().map(ForwardingView::parse).transpose()?;
        VacationChange::apply(self.vacation.as_ref(), &mut user);
        JunkFilterChange::apply(self.junk_filter.as_ref(), &mut user)?;
        user.admin = self.admin;
        user.groups.clone_from(&self.groups);
        user.quota_limit_mib = match self.quota_limit_mib {
            Some(limit) => limit,
            None => service.privileges()?.default_quota_mib,
        };
        Ok(user)
    }
}

/// What is to be changed of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct UserChange {
    mail: Option<String>,
    #[schema(value_type = Option<Line>)]
    given_name: Option<String>,
    #[schema(value_type = Option<Line>)]
    surname: Option<String>,
    #[schema(value_type = Option<Line>)]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "some_at_most::<16, _, _>")]
    #[schema(max_items = 16)]
    alternates: Option<Vec<String>>,
    contact: Option<ContactChange>,
    /// null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ForwardingView>)]
    forwarding: Option<Option<ForwardingView>>,
    /// null: as nobody has set it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<VacationChange>)]
    vacation: Option<Option<VacationChange>>,
    /// null: as nobody has set it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<JunkFilterChange>)]
    junk_filter: Option<Option<JunkFilterChange>>,
    admin: Option<bool>,
    #[serde(default, deserialize_with = "some_at_most::<100, _, _>")]
    #[schema(max_items = 100)]
    groups: Option<Vec<String>>,
    /// The quota in MiB; null: none; 0: no mail at all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    quota_limit_mib: Option<Option<u64>>,
}

impl UserChange {
    /// Puts into a row what is given.
    pub(super) fn apply(self, user: &mut User) -> Result<(), Problem> {
        let usual_name = User::display_name_of(&user.given_name, &user.surname);
        if let Some(mail) = &self.mail {
            user.mail = Address::parse(mail).map_err(|error| error.of_field("mail"))?;
        }
        set(&mut user.given_name, self.given_name);
        set(&mut user.surname, self.surname);
        // The name that others see goes along until somebody chooses another.
        if user.display_name == usual_name {
            user.display_name = User::display_name_of(&user.given_name, &user.surname);
        }
        set(&mut user.display_name, self.display_name);
        if let Some(alternates) = &self.alternates {
            user.alternates = addresses(alternates)?;
        }
        if let Some(contact) = &self.contact {
            contact.apply(&mut user.contact);
        }
        if let Some(forwarding) = &self.forwarding {
            user.forwarding = forwarding.as_ref().map(ForwardingView::parse).transpose()?;
        }
        if let Some(vacation) = &self.vacation {
            VacationChange::apply(vacation.as_ref(), user);
        }
        if let Some(filter) = &self.junk_filter {
            JunkFilterChange::apply(filter.as_ref(), user)?;
        }
        set(&mut user.admin, self.admin);
        set(&mut user.groups, self.groups);
        set(&mut user.quota_limit_mib, self.quota_limit_mib);
        Ok(())
    }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

fn addresses(texts: &[String]) -> directory::Result<Vec<Address>> {
    texts.iter().map(|text| Address::parse(text).map_err(|error| error.of_field("alternates"))).collect()
}
