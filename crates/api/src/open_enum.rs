//! Enumerations that keep values they do not know.

/// Declares an enumeration of the wire: its known values, and `Unknown` for any other text, so that a
/// value that a newer model added passes through unharmed.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal),+ $(,)? } printed $printed:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $value, "`")] $variant,)+
            /// A value that the model does not list.
            Unknown(Box<str>),
        }

        impl $name {
            /// The values of the model, in its order.
            pub const VALUES: &'static [&'static str] = &[$($value),+];

            /// The value set as AWS prints it in validation errors.
            pub const VALUE_SET: &'static str = $printed;

            /// The value as the wire has it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)+
                    Self::Unknown(value) => value,
                }
            }

            /// Whether the model lists this value.
            pub const fn is_known(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                match value {
                    $($value => Self::$variant,)+
                    _ => Self::Unknown(value.into()),
                }
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self::from(value.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::json::EncodeJson for $name {
            fn encode(&self, out: &mut $crate::json::JsonWriter) {
                out.string(self.as_str());
            }
        }

        impl $crate::xml::EncodeXml for $name {
            fn encode(&self, out: &mut $crate::xml::XmlWriter) {
                out.text(self.as_str());
            }
        }
    };
}

pub(crate) use open_enum;
