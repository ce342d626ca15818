//! A file system under SQLite that does what the system's own does and writes down every write and every sync.
//!
//! SQLite calls through tables of C functions; there is no safe way to be called by it.
#![allow(unsafe_code)]

use rusqlite::ffi;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, Once};

/// The name of the file system.
pub const NAME: &str = "recording";

/// What happened to the database (`log` false) or to its write-ahead log.
#[derive(Clone, Debug)]
pub enum Event {
    Write {
        log: bool,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        log: bool,
        size: usize,
    },
    Sync {
        log: bool,
    },
    /// A commit returned with this generation. Noted by the test.
    Returned(u64),
}

/// Makes the file system known to SQLite.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the default file system is there for the life of the process; the copy is leaked, so that it is, too.
        unsafe {
            let system = ffi::sqlite3_vfs_find(ptr::null());
            let mut copy = ptr::read(system);
            copy.pNext = ptr::null_mut();
            copy.zName = c"recording".as_ptr();
            copy.szOsFile += size_of::<File>() as c_int;
            copy.xOpen = Some(open);
            assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(copy)), 0), ffi::SQLITE_OK);
        }
    });
}

/// Adds to what is known of the database whose path ends in `name`.
pub fn note(name: &str, event: Event) {
    EVENTS.lock().unwrap().get_or_insert_default().entry(name.to_owned()).or_default().push(event);
}

/// Takes what is known of the database whose path ends in `name`.
pub fn take(name: &str) -> Vec<Event> {
    EVENTS.lock().unwrap().get_or_insert_default().remove(name).unwrap_or_default()
}

static EVENTS: Mutex<Option<HashMap<String, Vec<Event>>>> = Mutex::new(None);

/// Ours in front, then the system's own file.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// The name of the database and whether this is its log; null for files that are not recorded.
    what: *mut (String, bool),
}

/// The system's own file behind ours, and its functions.
///
/// # Safety
/// `file` was opened by [`open`].
unsafe fn inner(file: *mut ffi::sqlite3_file) -> (*mut ffi::sqlite3_file, &'static ffi::sqlite3_io_methods) {
    // SAFETY: `szOsFile` made room for both; the functions are static.
    unsafe {
        let inner = file.cast::<File>().add(1).cast::<ffi::sqlite3_file>();
        (inner, &*(*inner).pMethods)
    }
}

/// # Safety
/// `file` was opened by [`open`].
unsafe fn record(file: *mut ffi::sqlite3_file, event: impl FnOnce(bool) -> Event) {
    // SAFETY: `what` is null or was made by `Box::into_raw` and is freed by `close` alone.
    if let Some((name, log)) = unsafe { (*file.cast::<File>()).what.as_ref() } {
        note(name, event(*log));
    }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes and a path that ends in zero.
    unsafe {
        let system = ffi::sqlite3_vfs_find(ptr::null());
        let own = file.cast::<File>();
        (*own).base.pMethods = ptr::null();
        (*own).what = ptr::null_mut();
        let inner = own.add(1).cast::<ffi::sqlite3_file>();
        (*inner).pMethods = ptr::null();
        let answer = ((*system).xOpen.unwrap())(system, path, inner, flags, out);
        if !(*inner).pMethods.is_null() {
            (*own).base.pMethods = &METHODS;
        }
        let log = flags & ffi::SQLITE_OPEN_WAL != 0;
        if answer == ffi::SQLITE_OK && (log || flags & ffi::SQLITE_OPEN_MAIN_DB != 0) {
            let path = CStr::from_ptr(path).to_str().unwrap();
            let name = path.rsplit('/').next().unwrap().trim_end_matches("-wal");
            (*own).what = Box::into_raw(Box::new((name.to_owned(), log)));
        }
        answer
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as for `record`; SQLite closes a file once.
    unsafe {
        let what = (*file.cast::<File>()).what;
        if !what.is_null() {
            drop(Box::from_raw(what));
        }
        let (inner, methods) = inner(file);
        (methods.xClose.unwrap())(inner)
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, size: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite gives `size` bytes.
    unsafe {
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), size as usize).to_vec();
        record(file, |log| Event::Write { log, offset: offset as usize, bytes });
        let (inner, methods) = inner(file);
        (methods.xWrite.unwrap())(inner, from, size, offset)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        record(file, |log| Event::Truncate { log, size: size as usize });
        let (inner, methods) = inner(file);
        (methods.xTruncate.unwrap())(inner, size)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        record(file, |log| Event::Sync { log });
        let (inner, methods) = inner(file);
        (methods.xSync.unwrap())(inner, flags)
    }
}

/// Functions that only hand on.
macro_rules! hand_on {
    ($($name:ident $method:ident ($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => { $(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) $(-> $answer)? {
            // SAFETY: the file is open, and the arguments are SQLite's.
            unsafe {
                let (inner, methods) = inner(file);
                (methods.$method.unwrap())(inner $(, $argument)*)
            }
        }
    )* };
}

hand_on! {
    read xRead(to: *mut c_void, size: c_int, offset: i64) -> c_int;
    file_size xFileSize(size: *mut i64) -> c_int;
    lock xLock(level: c_int) -> c_int;
    unlock xUnlock(level: c_int) -> c_int;
    check_reserved_lock xCheckReservedLock(out: *mut c_int) -> c_int;
    file_control xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size xSectorSize() -> c_int;
    device_characteristics xDeviceCharacteristics() -> c_int;
    shm_map xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    shm_lock xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int;
    shm_barrier xShmBarrier();
    shm_unmap xShmUnmap(delete: c_int) -> c_int;
}

/// Version 2: no mapped memory, for writes through it would not be seen.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
