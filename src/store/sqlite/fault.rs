//! What SQLite says went wrong, in the words of a store.

use crate::error::{Error, Fault};
use rusqlite::ErrorCode;

/// The error of the crate, with SQLite's own as its cause.
pub(super) fn error(cause: rusqlite::Error) -> Error {
    Error::from(fault(&cause)).caused_by(cause)
}

fn fault(cause: &rusqlite::Error) -> Fault {
    use rusqlite::Error as Cause;
    match cause {
        Cause::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Fault::StoreBusy,
            ErrorCode::DiskFull | ErrorCode::TooBig => Fault::StoreFull,
            // `Unknown` is what SQLite says of a table or column that is not there.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => Fault::StoreCorrupt,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Fault::StorePath,
            _ => Fault::StoreIo,
        },
        Cause::InvalidPath(_) | Cause::NulError(_) => Fault::StorePath,
        Cause::FromSqlConversionFailure(..)
        | Cause::IntegralValueOutOfRange(..)
        | Cause::InvalidColumnType(..)
        | Cause::InvalidColumnIndex(_)
        | Cause::QueryReturnedNoRows
        | Cause::StatementChangedRows(_) => Fault::StoreCorrupt,
        _ => Fault::StoreIo,
    }
}
