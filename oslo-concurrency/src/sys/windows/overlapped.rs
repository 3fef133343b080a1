//! Operations that the system carries out while a thread waits, with a limit.

use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, FALSE, STATUS_PENDING, TRUE, WAIT_FAILED,
    WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForMultipleObjects};
use windows_sys::core::BOOL;

use super::event::Event;

/// Runs an operation on `file`, and gives it up when `until` has passed or `cancel` is set.
///
/// `start` starts it as functions of Windows do: not 0 means that it is done, and
/// `ERROR_IO_PENDING` that it goes on. Returns `true` if the operation took effect. If not, it has
/// none, and will have none later.
pub(super) fn run(
    file: BorrowedHandle<'_>,
    start: impl FnOnce(*mut OVERLAPPED) -> BOOL,
    until: Option<Instant>,
    cancel: Option<&Event>,
) -> io::Result<bool> {
    let mut operation = Operation::new(file)?;
    if start(operation.state()) != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(ERROR_IO_PENDING as i32) {
        return Err(error);
    }
    operation.under_way = true;
    match operation.wait(until, cancel) {
        Ok(true) => operation.result(),
        Ok(false) => operation.give_up(),
        // The operation is over before the error is returned.
        Err(error) => match operation.give_up()? {
            true => Ok(true),
            false => Err(error),
        },
    }
}

/// An operation, which ends before this value does: the system writes to it until then.
struct Operation<'a> {
    file: BorrowedHandle<'a>,
    state: Box<UnsafeCell<OVERLAPPED>>,
    /// Set when the operation has ended.
    ended: Event,
    under_way: bool,
}

impl<'a> Operation<'a> {
    fn new(file: BorrowedHandle<'a>) -> io::Result<Self> {
        let ended = Event::new()?;
        let state = OVERLAPPED {
            hEvent: ended.handle(),
            ..Default::default()
        };
        Ok(Operation {
            file,
            state: Box::new(UnsafeCell::new(state)),
            ended,
            under_way: false,
        })
    }

    fn state(&self) -> *mut OVERLAPPED {
        self.state.get()
    }

    /// Waits for the end of the operation. Returns `false` if it goes on at the end of the wait.
    fn wait(&self, until: Option<Instant>, cancel: Option<&Event>) -> io::Result<bool> {
        // The first of the events that are set counts.
        let events = [Some(&self.ended), cancel];
        let count = events.iter().flatten().count() as u32;
        let events = events.map(|event| event.unwrap_or(&self.ended).handle());
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.map_or(INFINITE, milliseconds);
            // SAFETY: `count` handles, at most two, are open.
            let outcome = unsafe { WaitForMultipleObjects(count, events.as_ptr(), FALSE, left) };
            match outcome {
                WAIT_OBJECT_0 => return Ok(true),
                WAIT_FAILED => return Err(io::Error::last_os_error()),
                // It counts in ticks, and may return early.
                WAIT_TIMEOUT if until.is_none_or(|until| Instant::now() < until) => {}
                _ => return Ok(false),
            }
        }
    }

    /// Ends the operation, unless it has ended; its result decides.
    fn give_up(&mut self) -> io::Result<bool> {
        // SAFETY: the state is the one with which the operation was started. It fails if the
        // operation has ended, or is about to.
        unsafe { CancelIoEx(self.file.as_raw_handle(), self.state()) };
        self.result()
    }

    /// Waits for the end. Returns `false` if the operation was cancelled.
    fn result(&mut self) -> io::Result<bool> {
        let mut bytes = 0;
        // SAFETY: as above; the number is valid for the call.
        let success = unsafe {
            GetOverlappedResult(self.file.as_raw_handle(), self.state(), &mut bytes, TRUE)
        };
        self.under_way = false;
        if success != 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        // SAFETY: the system may still write to the state, but only to this number, which is read
        // as it is.
        let status = unsafe { (&raw const (*self.state()).Internal).read_volatile() };
        if status == STATUS_PENDING as usize {
            // The wait for the end failed: the state must stay.
            mem::forget(mem::take(&mut self.state));
        }
        match error.raw_os_error() {
            Some(code) if code == ERROR_OPERATION_ABORTED as i32 => Ok(false),
            _ => Err(error),
        }
    }
}

impl Drop for Operation<'_> {
    /// Only after a panic is the operation still under way.
    fn drop(&mut self) {
        if self.under_way {
            let _ = self.give_up();
        }
    }
}

/// At least this long, and less than [`INFINITE`].
fn milliseconds(time: Duration) -> u32 {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    u32::try_from(milliseconds).map_or(INFINITE - 1, |short| short.min(INFINITE - 1))
}

#[cfg(test)]
mod tests {
    //! Any operation will do. These are connections to a pipe, because Wine has no locks that can
    //! be waited for.

    use std::fs::{File, OpenOptions};
    use std::os::windows::io::{AsHandle, FromRawHandle, OwnedHandle};
    use std::ptr;
    use std::thread;

    use windows_sys::Win32::Foundation::{ERROR_PIPE_CONNECTED, INVALID_HANDLE_VALUE};
    use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX};
    use windows_sys::Win32::System::Pipes::{ConnectNamedPipe, CreateNamedPipeW, PIPE_TYPE_BYTE};

    use super::*;

    struct Pipe {
        server: OwnedHandle,
        name: String,
    }

    impl Pipe {
        fn new(name: &str) -> Self {
            let name = format!(r"\\.\pipe\oslo-{}-{name}", std::process::id());
            let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
            let mode = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;
            // SAFETY: the name ends in NUL; no attributes.
            let server = unsafe {
                CreateNamedPipeW(
                    wide.as_ptr(),
                    mode,
                    PIPE_TYPE_BYTE,
                    1,
                    64,
                    64,
                    0,
                    ptr::null(),
                )
            };
            assert_ne!(server, INVALID_HANDLE_VALUE);
            // SAFETY: the call has just made this handle.
            let server = unsafe { OwnedHandle::from_raw_handle(server) };
            Pipe { server, name }
        }

        fn client(&self) -> io::Result<File> {
            OpenOptions::new().read(true).write(true).open(&self.name)
        }

        fn accept(&self, until: Option<Instant>, cancel: Option<&Event>) -> io::Result<bool> {
            let server = self.server.as_handle();
            // SAFETY: the state lives until the operation has ended.
            let start = |state| unsafe { ConnectNamedPipe(server.as_raw_handle(), state) };
            run(server, start, until, cancel)
        }
    }

    #[test]
    fn an_operation_that_ends_in_time_takes_effect() {
        let pipe = Pipe::new("ends");
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                thread::sleep(Duration::from_millis(30));
                pipe.client().unwrap()
            });
            let in_time = Instant::now() + Duration::from_secs(60);
            assert!(pipe.accept(Some(in_time), None).unwrap());
            drop(client.join().unwrap());
        });
    }

    #[test]
    fn an_operation_is_given_up_at_the_deadline_and_not_before() {
        let pipe = Pipe::new("late");
        for milliseconds in [0, 1, 20, 50] {
            let until = Instant::now() + Duration::from_millis(milliseconds);
            assert!(!pipe.accept(Some(until), None).unwrap());
            let late = Instant::now().checked_duration_since(until);
            assert!(late.unwrap() < Duration::from_secs(5), "{late:?}");
        }
    }

    #[test]
    fn an_operation_is_cancelled_before_and_during_the_wait() {
        let pipe = Pipe::new("cancelled");
        let cancel = Event::new().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                cancel.set();
            });
            assert!(!pipe.accept(None, Some(&cancel)).unwrap());
        });
        assert!(!pipe.accept(None, Some(&cancel)).unwrap());
    }

    #[test]
    fn an_error_of_the_operation_is_returned() {
        let pipe = Pipe::new("connected");
        let _client = pipe.client().unwrap();
        let error = pipe.accept(None, None).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(ERROR_PIPE_CONNECTED as i32));
    }

    /// The client comes at the deadline: the connection is there if and only if that is said.
    #[test]
    fn the_result_decides_between_the_end_and_the_deadline() {
        for round in 0..100 {
            let pipe = Pipe::new(&format!("race-{round}"));
            let until = Instant::now() + Duration::from_millis(5);
            thread::scope(|scope| {
                let client = scope.spawn(|| {
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    pipe.client()
                });
                let accepted = match pipe.accept(Some(until), None) {
                    // On a busy machine the client comes first.
                    Err(error) => error.raw_os_error() == Some(ERROR_PIPE_CONNECTED as i32),
                    Ok(accepted) => accepted,
                };
                let client = client.join().unwrap();
                if accepted {
                    assert!(client.is_ok(), "{client:?}");
                }
            });
        }
    }

    #[test]
    fn times_are_rounded_up() {
        for (nanoseconds, expected) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(milliseconds(Duration::from_nanos(nanoseconds)), expected);
        }
        assert_eq!(milliseconds(Duration::MAX), INFINITE - 1);
    }
}
