//! The entries that everything is kept below, for the first start.

use directory::{Error, Result};

use crate::dn;
use crate::link::{Attributes, Links, Trouble, code};
use crate::schema::Places;

/// Makes the entries that are not there.
pub(crate) fn make_places(links: &Links, places: &Places) -> Result<()> {
    make(links, &places.base, base_attributes(&places.base)?)?;
    for (dn, name) in [(&places.people, "people"), (&places.aliases, "aliases"), (&places.domains, "domains")] {
        make(links, dn, vec![("objectClass", texts(&["top", "organizationalUnit"])), ("ou", texts(&[name]))])?;
    }
    Ok(())
}

fn make(links: &Links, dn: &str, attributes: Attributes) -> Result<()> {
    match links.add(dn, &attributes) {
        Ok(()) | Err(Trouble::Refused { code: code::ENTRY_ALREADY_EXISTS, .. }) => Ok(()),
        Err(trouble) => Err(Error::Unavailable(format!("the entry {dn} can't be made: {trouble}"))),
    }
}

/// The entry at the top is the LDAP server's to have, mostly; of the usual kinds we can make one.
fn base_attributes(base: &str) -> Result<Attributes> {
    let wrong = || Error::Unavailable(format!("{base} is no name below which entries can be kept: dc=, o= or ou="));
    let (attribute, value) = dn::first(base).ok_or_else(wrong)?;
    let value = vec![value];
    Ok(match attribute.as_str() {
        "dc" => vec![("objectClass", texts(&["top", "dcObject", "organization"])), ("dc", value.clone()), ("o", value)],
        "o" => vec![("objectClass", texts(&["top", "organization"])), ("o", value)],
        "ou" => vec![("objectClass", texts(&["top", "organizationalUnit"])), ("ou", value)],
        _ => return Err(wrong()),
    })
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}
