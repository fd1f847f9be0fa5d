//! One Rust struct is the source of an option: its field's doc comment is the documentation, its initial value the
//! default, its type the grammar. The sample file, `config show` and the checks are all made from it.

use toml::de::DeValue;

use super::value::Setting;

/// What is known of an option without a value.
#[derive(Debug)]
pub(crate) struct OptionInfo {
    /// Its key.
    pub(crate) name: &'static str,
    /// The lines of its documentation.
    pub(crate) doc: Vec<&'static str>,
    /// Its default in TOML, `None` when it is unset by default.
    pub(crate) default: Option<toml::Value>,
    /// What may be written, for an option that is unset by default.
    pub(crate) example: &'static str,
    /// What a number must be within, as it is written; numbers have bounds, all of them, and nothing else has.
    pub(crate) bounds: Option<Bounds>,
}

/// The lowest and the highest value of a number, as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds(pub(crate) &'static str, pub(crate) &'static str);

/// A table of the configuration file.
pub(crate) trait Section: Default {
    /// Its name in the file.
    const TABLE: &'static str;
    /// The lines of its documentation.
    const DOC: &'static [&'static str];

    /// Its options, in the order of the struct.
    fn options() -> Vec<OptionInfo>;

    /// Sets the option called `name`; `None` when there is none.
    fn set(&mut self, name: &str, value: &DeValue<'_>) -> Option<Result<(), String>>;

    /// Each option's value in TOML, `None` when unset.
    fn values(&self) -> Vec<(&'static str, Option<toml::Value>)>;
}

/// Defines a [`Section`]: a struct whose doc comments are also there at run time. `=> "..."` shows what may be written for
/// an option that is unset by default; `#[within("lowest", "highest")]` bounds a number.
macro_rules! section {
    (
        $(#[doc = $table_doc:literal])*
        struct $section:ident in $table:literal {
            $(
                $(#[doc = $doc:literal])*
                $(#[within($lowest:literal, $highest:literal)])?
                $field:ident: $type:ty = $default:expr $(=> $example:literal)?,
            )*
        }
    ) => {
        $(#[doc = $table_doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $section {
            $( $(#[doc = $doc])* pub(crate) $field: $type, )*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        $( const _: () = assert!(
            <$type as $crate::config::value::Setting>::IS_NUMBER == [$(!$lowest.is_empty(),)? false][0],
            "numbers have bounds, all of them, and nothing else has",
        ); )*

        impl $crate::config::section::Section for $section {
            const TABLE: &'static str = $table;
            const DOC: &'static [&'static str] = &[$($table_doc),*];

            fn options() -> Vec<$crate::config::section::OptionInfo> {
                let default = Self::default();
                vec![$( $crate::config::section::OptionInfo {
                    name: stringify!($field),
                    doc: vec![$($doc),*],
                    default: $crate::config::value::Setting::show(&default.$field),
                    example: [$($example,)? ""][0],
                    bounds: [$(Some($crate::config::section::Bounds($lowest, $highest)),)? None][0],
                }, )*]
            }

            fn set(&mut self, name: &str, value: &toml::de::DeValue<'_>) -> Option<Result<(), String>> {
                match name {
                    $( stringify!($field) => {
                        let bounds = [$(Some($crate::config::section::Bounds($lowest, $highest)),)? None][0];
                        Some($crate::config::section::assign(&mut self.$field, value, bounds))
                    } )*
                    _ => None,
                }
            }

            fn values(&self) -> Vec<(&'static str, Option<toml::Value>)> {
                vec![$( (stringify!($field), $crate::config::value::Setting::show(&self.$field)), )*]
            }
        }
    };
}
pub(crate) use section;

pub(crate) fn assign<T: Setting>(field: &mut T, value: &DeValue<'_>, bounds: Option<Bounds>) -> Result<(), String> {
    *field = match bounds {
        Some(bounds) => bounded(value, bounds)?,
        None => T::read(value)?,
    };
    Ok(())
}

/// Reads a number within its bounds.
fn bounded<T: Setting>(value: &DeValue<'_>, Bounds(lowest, highest): Bounds) -> Result<T, String> {
    let expected = |problem: String| Err(format!("{problem}, expected {} from {lowest} to {highest}", T::EXPECTED));
    let number = match T::parse(value) {
        Some(Ok(number)) => number,
        Some(Err(problem)) => return expected(problem),
        None => return expected(format!("found {}", value.type_str())),
    };
    let written = value.as_str().map_or_else(String::new, |text| format!("{text:?}"));
    let written = value.as_integer().map_or(written, |number| number.as_str().to_owned());
    match (number.number(), T::bound(lowest), T::bound(highest)) {
        (Some(number), Some(lowest), _) if number < lowest => expected(format!("{written} is too small")),
        (Some(number), _, Some(highest)) if number > highest => expected(format!("{written} is too large")),
        _ => Ok(number),
    }
}
