//! What both sides of a linking compute from the code and the agreement.

use super::code::LinkCode;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::kdf::{hkdf, hmac};
use crate::crypto::{ConstantTimeEq, Secret, hash};
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};

/// One key for each message, and one for the digits that the user compares.
pub struct LinkKeys {
    pub offer: Secret<32>,
    pub answer: Secret<32>,
    pub completion: Secret<32>,
    confirmation: Secret<32>,
}

impl LinkKeys {
    /// B53: the code's secret and the agreement both go in: who did not see the code has neither, and who only saw it cannot read along.
    pub fn derive(
        code: &LinkCode,
        ours: &AgreementSecret,
        theirs: &AgreementKey,
        answering: &AgreementKey,
    ) -> Result<Self> {
        let agreement = ours.agree(theirs).map_err(|_| Fault::LinkAuthentication)?;
        let transcript = hash::sha256(&[code.to_bytes().as_slice(), answering.as_bytes()]);
        let keys: Secret<128> =
            hkdf(code.secret.expose(), &[agreement.expose()], &[b"Undertone_1_link_keys", &transcript]);
        let [offer, answer, completion, confirmation] = keys.pieces();
        Ok(Self { offer, answer, completion, confirmation })
    }

    /// Six digits of all that was said until the new device revealed `reveal`.
    pub fn digits(&self, offer: &[u8], reveal: &[u8; 32]) -> String {
        let offer = hash::sha256(&[offer]);
        let mac = hmac(self.confirmation.expose(), &[b"Undertone_1_link_confirmation", &offer, reveal]);
        let number = mac.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        format!("{:06}", number % 1_000_000)
    }
}

/// SN-4: what the new device promises in its code to reveal in its answer: the digits depend on it, so neither side can choose its part when it knows the other's.
pub fn commitment(reveal: &[u8; 32]) -> [u8; 32] {
    hash::sha256(&[b"Undertone_1_link_commitment", reveal])
}

/// Whether the new device kept its promise.
pub fn check_commitment(code: &[u8; 32], reveal: &[u8; 32]) -> Result<()> {
    if bool::from(commitment(reveal).ct_eq(code)) || !rule::on(Rule::Sn4) {
        Ok(())
    } else {
        Err(Fault::LinkAuthentication.into())
    }
}
