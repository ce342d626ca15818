//! What an honest server checks before it keeps something. A client trusts none of it, and checks everything again.

use crate::error::{Fault, Result};
use crate::handshake::{HandshakeProfile, PrekeyBundle, PrekeyKind, PublishedPrekey};
use crate::profile::{IdentityKey, Undertone, UndertoneIdentityKey};
use crate::transport::PrekeyUpload;
use crate::wire::Address;

/// The largest envelope that a server takes unless it was told otherwise, in bytes.
pub const MAX_ENVELOPE: usize = 1 << 20;
/// The largest message that a server keeps at a meeting place unless it was told otherwise, in bytes.
pub const MAX_MEETING_MESSAGE: usize = 64 << 10;
/// The most envelopes that a server keeps for one device unless it was told otherwise.
pub const MAX_MAILBOX: usize = 20_000;
/// The most one-time prekeys of each kind in one upload.
pub const MAX_ONE_TIME_PREKEYS: usize = 1_000;

/// Checks what a device uploads: every key is well-formed, is of the kind it stands for, and is signed by the device.
///
/// ```
/// use undertone::handshake::*;
/// use undertone::transport::{PrekeyUpload, admission};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// let mut upload = PrekeyUpload {
///     registration_id: bob.registration_id,
///     identity: bobs_key.public().to_bytes().try_into().expect("32 bytes"),
///     signed_prekey: prekeys.signed_prekey().expect("there always is one").clone(),
///     last_resort_prekey: prekeys.last_resort_prekey().expect("there always is one").clone(),
///     one_time_prekeys: prekeys.one_time_prekeys().cloned().collect(),
///     one_time_kem_prekeys: prekeys.one_time_kem_prekeys().cloned().collect(),
/// };
/// admission::check_prekeys(&bobs, &upload)?;
/// upload.one_time_prekeys[0].id += 1;
/// assert_eq!(admission::check_prekeys(&bobs, &upload).unwrap_err().code(), "transport.refused");
/// # Ok::<(), undertone::Error>(())
/// ```
///
/// # Errors
/// `transport.refused`.
pub fn check_prekeys(device: &Address, upload: &PrekeyUpload) -> Result<()> {
    let too_many = upload.one_time_prekeys.len().max(upload.one_time_kem_prekeys.len()) > MAX_ONE_TIME_PREKEYS;
    if too_many || check_every_key(device, upload).is_err() {
        return Err(Fault::TransportRefused.into());
    }
    Ok(())
}

/// The bundle that a server hands out: one-time prekeys as far as it has any, else the last-resort prekey alone.
///
/// # Errors
/// The `bundle.*` and `key.*` codes: none for what passed [`check_prekeys`].
pub fn assemble_bundle(
    device: &Address,
    upload: &PrekeyUpload,
    one_time: Option<PublishedPrekey>,
    one_time_kem: Option<PublishedPrekey>,
) -> Result<Vec<u8>> {
    let kem = one_time_kem.unwrap_or_else(|| upload.last_resort_prekey.clone());
    let bundle = PrekeyBundle::<Undertone>::from_parts(
        device.clone(),
        upload.registration_id,
        &upload.identity,
        upload.signed_prekey.clone(),
        Some(kem),
        one_time,
    )?;
    Ok(bundle.to_bytes())
}

fn check_every_key(device: &Address, upload: &PrekeyUpload) -> Result<()> {
    let identity = UndertoneIdentityKey::admit(&upload.identity)?;
    let verify =
        |kind, prekey: &PublishedPrekey| prekey.verify::<Undertone>(kind, &identity, device, upload.registration_id);
    verify(PrekeyKind::Signed, &upload.signed_prekey)?;
    Undertone::parse_signed_prekey(&upload.signed_prekey.public)?;
    let last_resort = core::iter::once((&upload.last_resort_prekey, true));
    let one_time_kem = upload.one_time_kem_prekeys.iter().map(|prekey| (prekey, false));
    for (prekey, is_last_resort) in last_resort.chain(one_time_kem) {
        verify(PrekeyKind::Kem, prekey)?;
        let (_, terms) = Undertone::parse_kem_prekey(&prekey.public)?;
        if terms.last_resort != is_last_resort {
            return Err(Fault::BundleField.into());
        }
    }
    for prekey in &upload.one_time_prekeys {
        verify(PrekeyKind::OneTime, prekey)?;
        Undertone::parse_one_time_prekey(&prekey.public)?;
    }
    Ok(())
}
