//! The `#[synchronized]` attribute of `oslo-concurrency`; use it as `lockutils::synchronized`.

mod check;
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
