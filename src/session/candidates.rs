//! Which of a record's sessions a message belongs to.

use crate::error::{Error, ErrorKind, Fault, Result};
use crate::handshake::HandshakeProfile;
use crate::ratchet::{Received, StepBudget};
use crate::session::one_session::Session;

/// Where a session stands in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It is the current one.
    Current,
    /// It is the archived one of this index.
    Archived(usize),
}

/// Finds the session that reads `message`: the current one, then the archived ones, newest first. Nothing changes.
///
/// Where a message is authenticated with its header, the session tag picks the one session, and its verdict is final. In the Signal profile every session
/// has to try: a duplicate in any ends the search, and all of them together may take no more chain steps than one envelope is allowed (B31).
///
/// # Errors
/// `session.none` without a session; the verdict of the session that knew the message; else that of the current session.
pub fn read<P: HandshakeProfile>(
    current: Option<&Session<P>>,
    archived: &[Session<P>],
    message: &P::Message<'_>,
    now: u64,
    budget: &mut StepBudget,
) -> Result<(Position, Vec<u8>, Received<P>)> {
    let current = current.into_iter().map(|session| (Position::Current, session));
    let archived = archived.iter().enumerate().map(|(index, session)| (Position::Archived(index), session));
    let mut verdict: Option<Error> = None;
    let mut tried = false;
    for (position, session) in current.chain(archived) {
        if position != Position::Current && Session::is_expired(session, now) {
            continue;
        }
        tried = true;
        match session.decrypt(message, None, now, budget) {
            Ok(Some((plaintext, received))) => return Ok((position, plaintext, received)),
            Ok(None) => {}
            Err(error) if P::AUTHENTICATES_HEADER_FIRST || error.kind() == ErrorKind::Duplicate => return Err(error),
            Err(error) => {
                verdict.get_or_insert(error);
            }
        }
    }
    match verdict {
        _ if !tried => Err(Fault::NoSession.into()),
        Some(error) => Err(error),
        None => Err(Fault::MessageAuthentication.into()),
    }
}
