//! The keys of one store, and what is done with them.

use super::header::{STORE_ID, VERSION};
use super::name::{self, RecordName};
use crate::crypto::{Secret, Zeroizing, aead, kdf, random};
use crate::error::{Fault, Result};
use getrandom::SysRng;

pub(super) struct Keys {
    store_id: [u8; STORE_ID],
    value: Secret<32>,
    name: Secret<32>,
    hash: Secret<32>,
}

impl Keys {
    pub(super) fn derive(key: &Secret<32>, store_id: [u8; STORE_ID]) -> Self {
        let derive = |label: &[u8]| kdf::hkdf::<32>(&store_id, &[key.expose()], &[label]);
        Self {
            value: derive(b"Undertone_1_store_value"),
            name: derive(b"Undertone_1_store_name"),
            hash: derive(b"Undertone_1_store_hash"),
            store_id,
        }
    }

    /// The name that the backend sees.
    pub(super) fn hide(&self, name: &RecordName) -> Vec<u8> {
        name.hide(|kind, before, component| {
            let mac = Secret::new(kdf::hmac(self.name.expose(), &[&[kind], &length(before), before, component]));
            *mac.split::<{ name::HASH }, { 32 - name::HASH }>().0.expose()
        })
    }

    /// The value that the backend sees.
    ///
    /// # Errors
    /// `random.failed`.
    pub(super) fn seal(&self, hidden_name: &[u8], value: &[u8]) -> Result<Vec<u8>> {
        // With 24 random bytes no nonce repeats in any number of commits that a device can make, even one that was set back.
        let nonce = random::array::<NONCE>(&mut SysRng)?;
        let mut sealed = vec![0; NONCE + value.len() + aead::TAG];
        if let Some((head, rest)) = sealed.split_first_chunk_mut::<NONCE>()
            && let Some((ciphertext, tag)) = rest.split_last_chunk_mut::<{ aead::TAG }>()
        {
            *head = nonce;
            *tag = aead::xseal_detached(&self.value, &nonce, &self.associated_data(hidden_name), value, ciphertext);
        }
        Ok(sealed)
    }

    /// Opens what [`seal`](Self::seal) made for the same name of the same store.
    ///
    /// # Errors
    /// `store.corrupt`.
    pub(super) fn open(&self, hidden_name: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(Fault::StoreCorrupt)?;
        let (ciphertext, tag) = rest.split_last_chunk::<{ aead::TAG }>().ok_or(Fault::StoreCorrupt)?;
        let mut value = Zeroizing::new(vec![0; ciphertext.len()]);
        aead::xopen_detached(&self.value, nonce, &self.associated_data(hidden_name), ciphertext, tag, &mut value)
            .map_err(|_| Fault::StoreCorrupt)?;
        Ok(value)
    }

    /// The pseudorandom function for everything else; label and parts are told apart by their lengths.
    pub(super) fn hash(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let all: Vec<&[u8]> = core::iter::once(label.as_bytes()).chain(parts.iter().copied()).collect();
        let lengths: Vec<[u8; 8]> = all.iter().map(|part| length(part)).collect();
        let pieces: Vec<&[u8]> =
            lengths.iter().zip(&all).flat_map(|(length, part)| [length.as_slice(), part]).collect();
        kdf::hmac(self.hash.expose(), &pieces)
    }

    fn associated_data(&self, hidden_name: &[u8]) -> Vec<u8> {
        [&self.store_id, VERSION.to_be_bytes().as_slice(), hidden_name].concat()
    }
}

const NONCE: usize = 24;

fn length(bytes: &[u8]) -> [u8; 8] {
    (bytes.len() as u64).to_be_bytes()
}
