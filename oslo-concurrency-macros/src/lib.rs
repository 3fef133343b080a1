//! The `#[synchronized]` attributes of `oslo-concurrency` and `oslo-coordination`; use them as
//! `lockutils::synchronized` and `oslo_coordination::synchronized`.

mod check;
mod coordination;
mod parse;
mod render;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Runs a function under a named lock.
///
/// ```ignore
/// #[lockutils::synchronized("not_thread_safe")]
/// fn not_thread_safe() {}
///
/// #[lockutils::synchronized("db", external = true, prefix = "myapp")]
/// fn migrate() -> Result<(), MyError> { Ok(()) } // MyError: From<lockutils::Error>
///
/// #[lockutils::synchronized(&format!("image-{id}"), external)]
/// fn convert(id: u32) -> anyhow::Result<()> { Ok(()) }
/// ```
///
/// The first argument is the lock's name: a literal, or any expression over the function's
/// parameters that gives something like `&str`. The other arguments may come in any order:
///
/// | argument | meaning |
/// |---|---|
/// | `external`, `external = EXPR` | also excludes other processes |
/// | `prefix = EXPR` | prefix of the lock file's name |
/// | `lock_path = EXPR` | directory of the lock file |
/// | `semaphores = EXPR` | container of the lock between threads |
/// | `fair`, `fair = EXPR` | first come, first served |
/// | `blocking = EXPR` | `false`: fail instead of waiting |
/// | `timeout = EXPR` | maximum time to wait, a `Duration` |
/// | `warn_after = EXPR` | time after which a wait is logged, a `Duration` |
/// | `with = PATH` | a `Synchronizer`, which supplies the prefix |
/// | `or_panic` | panic if the lock fails |
/// | `crate = PATH` | path of `oslo_concurrency`, if it is re-exported |
///
/// A lock that can fail (with `external`, `blocking` or `timeout`) requires a function that returns
/// `Result<_, E>` with `E: From<lockutils::Error>`, or `or_panic`. The lock is held while the body
/// runs and while its local variables are dropped; parameters are dropped after it is released.
///
/// An `async fn` requires the feature `tokio`. It acquires the lock when it is first polled,
/// holds it until it ends or is dropped, and blocks no thread. A call of the same function from
/// inside it is refused, like a second call on the same thread.
///
/// # Panics
/// A function whose lock cannot otherwise fail panics if its thread (or the `async fn` that calls
/// it) already holds the lock, because it would wait for itself.
#[proc_macro_attribute]
pub fn synchronized(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as parse::Arguments);
    let function = match check::function(item.into()) {
        Ok(function) => function,
        Err(error) => return error.into_compile_error().into(),
    };
    match check::all(&arguments, &function) {
        Ok(()) => render::render(&arguments, function).into(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            // The function itself stays, so that its callers do not cause further errors.
            quote::quote!(#errors #function).into()
        }
    }
}

/// Runs a function under named locks of a coordinator. `oslo-coordination` re-exports it as
/// `synchronized`.
///
/// ```ignore
/// use oslo_coordination as coordination;
///
/// #[coordination::synchronized("{volume.id}-{f_name}")]
/// fn delete(volume: &Volume) -> Result<(), coordination::Error> { Ok(()) }
///
/// #[coordination::synchronized("{self.id}", "{other.id}", with = self.coordinator, guard = lock)]
/// async fn swap(&self, other: &Volume) -> anyhow::Result<()> {
///     storage.write(self.id, lock.check()?).await
/// }
/// ```
///
/// The names come first. In a literal, `{…}` is an expression over the function's parameters, with
/// an optional format such as `{id:04}`, and `{f_name}` is the function's own name; `{{` and `}}`
/// are braces. Any other expression that gives something like `&str` or `&[u8]` is a name too.
/// Several locks are acquired in the order of their names, each once, so that two functions that
/// name the same locks never wait for each other. The options may come in any order:
///
/// | argument | meaning |
/// |---|---|
/// | `with = EXPR` | the coordinator; by default `Coordinator::global()` |
/// | `prefix = EXPR` | prefix of the names, instead of the coordinator's |
/// | `blocking = EXPR` | `false`: fail instead of waiting |
/// | `timeout = EXPR` | maximum time to wait for all locks, a `Duration` |
/// | `warn_after = EXPR` | time after which a wait is logged, a `Duration` |
/// | `guard = NAME` | a variable with the guards, for `check` and `token` |
/// | `or_panic` | panic if the locks fail |
/// | `crate = PATH` | path of `oslo_coordination`, if it is re-exported |
///
/// The function returns `Result<_, E>` with `E: From<oslo_coordination::Error>`, unless `or_panic`
/// is given. The locks are held while the body runs and while its local variables are dropped.
/// They are released in the background. A loss is logged, and does not change what the function
/// returns: call `check` before each write, or pass the token with it.
///
/// An `async fn` acquires the locks when it is first polled, holds them until it ends or is
/// dropped, and works on every executor. One that calls itself waits for itself.
#[proc_macro_attribute]
pub fn synchronized_by_coordinator(arguments: TokenStream, item: TokenStream) -> TokenStream {
    coordination::expand(arguments.into(), item.into()).into()
}
