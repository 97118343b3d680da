//! The secret that both ends of a link have.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::text::hex;

const LENGTH: usize = 32;

/// 32 random bytes: who has them may connect. Masked in `Debug`, and overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecret(Zeroizing<[u8; LENGTH]>);

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(****)")
    }
}

impl LinkSecret {
    /// A new one, of the kernel's random numbers.
    pub fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let flags = rustix::rand::GetRandomFlags::empty();
        rustix::rand::getrandom(&mut bytes[..], flags).map_err(|error| {
            Error::world(format!(
                "no random number for the secret of a link: {error}"
            ))
        })?;
        Ok(Self(bytes))
    }

    /// As a file of mode 0600 keeps it: 64 digits, to be shown nowhere.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.0[..])
    }

    /// What [`LinkSecret::to_hex`] gave. The error does not quote the text.
    pub fn from_hex(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.len() != 2 * LENGTH || !is_hex {
            return Err(Error::world(format!(
                "the secret of a link has {} hexadecimal digits; this text of {} bytes is none",
                2 * LENGTH,
                text.len()
            ))
            .hint("the file was cut or changed: let the run make a new one"));
        }
        for (byte, at) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_default();
        }
        Ok(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere_and_comes_back_from_its_digits() {
        let secret = LinkSecret::random().unwrap();
        let hex = secret.to_hex();
        assert_eq!(format!("{secret:?}"), "LinkSecret(****)");
        assert_eq!(LinkSecret::from_hex(&format!("{hex}\n")).unwrap(), secret);
        assert_ne!(LinkSecret::random().unwrap(), secret);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_quoted() {
        let hex = LinkSecret::random().unwrap().to_hex();
        let wide = "ä".repeat(32);
        for text in [
            "",
            "00",
            &hex[1..],
            &format!("{hex}00"),
            &hex.replace(&hex[..1], "x"),
            &wide,
        ] {
            let error = LinkSecret::from_hex(text).unwrap_err();
            assert!(
                text.is_empty() || !error.to_string().contains(text),
                "{error}"
            );
            assert!(
                error.to_string().contains("64 hexadecimal digits"),
                "{error}"
            );
        }
    }
}
