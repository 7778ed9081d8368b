//! The operator's token: the secret that makes a request from elsewhere the operator's.

use std::fmt;

/// The secret of the operator. Never shown: not in logs, not in `--print-config`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token shorter than this could be guessed.
    const BYTES_MIN: usize = 16;

    /// The token in a text; white space around it is not part of it.
    pub fn parse(text: &str) -> Result<Token, String> {
        let token = text.trim();
        let clean = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() < Token::BYTES_MIN || !clean {
            let min = Token::BYTES_MIN;
            return Err(format!(
                "a token has at least {min} printable characters and no space; make one with: \
                 head -c 24 /dev/urandom | base64"
            ));
        }
        Ok(Token(token.to_owned()))
    }

    /// The value of the header `Authorization` that shows the token (RFC 6750 section 2.1).
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Compares in a time that depends on the lengths alone, so that nobody finds the token by
    /// measuring how far a guess was right.
    #[must_use]
    pub fn is(&self, shown: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let pairs = own.iter().zip(shown);
        let differences = pairs.fold(0u8, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        differences == 0 && own.len() == shown.len()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_printable_and_never_shown() {
        let error = "a token has at least 16 printable characters and no space; make one with: \
                     head -c 24 /dev/urandom | base64";
        for text in ["", "012345678abcdef", "0123456789 abcdef", "0123456789\u{e9}abcdef"] {
            assert_eq!(Token::parse(text), Err(error.to_owned()), "{text}");
        }
        let token = Token::parse(" 0123456789abcdef\n").expect("trimmed");
        assert!(token.is(b"0123456789abcdef"));
        for other in [&b"0123456789abcdeX"[..], b"0123456789abcde", b"0123456789abcdef0", b""] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(token.authorization(), "Bearer 0123456789abcdef");
        assert_eq!(format!("{token:?}"), "Token(...)");
    }
}
