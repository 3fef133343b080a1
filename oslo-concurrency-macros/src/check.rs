//! The rules of the attribute. Each is a small function, and all errors are reported at once.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    Error, Expr, ExprLit, GenericArgument, Item, ItemFn, Lit, Path, PathArguments, Result,
    ReturnType, TraitItemFn, Type, TypeParamBound,
};

use crate::parse::Arguments;

/// Parses the function that carries the attribute.
pub fn function(item: TokenStream) -> Result<ItemFn> {
    if let Ok(function) = syn::parse2::<ItemFn>(item.clone()) {
        return Ok(function);
    }
    let message = if syn::parse2::<TraitItemFn>(item.clone()).is_ok() {
        "#[synchronized] needs a function with a body; put it on the implementation"
    } else {
        match syn::parse2::<Item>(item.clone())? {
            Item::Impl(_) | Item::Trait(_) | Item::Mod(_) => {
                "#[synchronized] stands on a function or method; put it on each function inside"
            }
            _ => "#[synchronized] stands on a function or method",
        }
    };
    Err(Error::new(item.span(), message))
}

/// Checks every rule.
pub fn all(arguments: &Arguments, function: &ItemFn) -> Result<()> {
    [
        not_const(function),
        async_is_enabled(function, cfg!(feature = "tokio")),
        not_a_future(function),
        no_timeout_without_waiting(arguments),
        file_options_need_external(arguments),
        panics_only_if_it_can_fail(arguments),
        can_return_the_error(arguments, function),
    ]
    .into_iter()
    .reduce(|all, next| match (all, next) {
        (Err(mut all), Err(next)) => {
            all.combine(next);
            Err(all)
        }
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(())) => Ok(()),
    })
    .unwrap_or(Ok(()))
}

/// Returns `true` if the lock can fail and the function must return the error.
pub fn can_fail(arguments: &Arguments) -> bool {
    ["external", "blocking", "timeout"].iter().any(|option| {
        match (*option, arguments.option(option)) {
            (_, None) => false,
            ("external", Some(value)) => !is_bool(value, false),
            ("blocking", Some(value)) => !is_bool(value, true),
            (_, Some(_)) => true,
        }
    })
}

fn is_bool(value: &Expr, wanted: bool) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Bool(lit), .. }) if lit.value == wanted)
}

/// Rejects a const fn.
pub fn not_const(function: &ItemFn) -> Result<()> {
    match &function.sig.constness {
        None => Ok(()),
        Some(token) => Err(Error::new(
            token.span(),
            "a const fn cannot take a lock; remove `const` or #[synchronized]",
        )),
    }
}

fn async_is_enabled(function: &ItemFn, enabled: bool) -> Result<()> {
    match &function.sig.asyncness {
        Some(token) if !enabled => Err(Error::new(
            token.span(),
            "#[synchronized] takes an async function only with the feature `tokio`: write \
             `oslo-concurrency = { version = \"…\", features = [\"tokio\"] }` in Cargo.toml",
        )),
        _ => Ok(()),
    }
}

/// Rejects a function that only creates a future, which would run after the lock is released.
pub fn not_a_future(function: &ItemFn) -> Result<()> {
    match &function.sig.output {
        ReturnType::Type(_, returned)
            if function.sig.asyncness.is_none() && is_future(returned) =>
        {
            Err(Error::new(
                returned.span(),
                "this function returns a future, and the lock would be released before that runs: \
                 make it an `async fn`, put #[synchronized] above the attribute that changes \
                 it, or lock inside with `run_async`",
            ))
        }
        _ => Ok(()),
    }
}

/// Returns `true` for `impl Future`, `dyn Future` and `BoxFuture`, also inside other types.
fn is_future(returned: &Type) -> bool {
    let any_bound = |bounds: &syn::punctuated::Punctuated<TypeParamBound, _>| {
        bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => last_is(&bound.path, &["Future"]),
            _ => false,
        })
    };
    match returned {
        Type::ImplTrait(returned) => any_bound(&returned.bounds),
        Type::TraitObject(returned) => any_bound(&returned.bounds),
        Type::Path(returned) if last_is(&returned.path, &["BoxFuture", "LocalBoxFuture"]) => true,
        Type::Path(returned) if last_is(&returned.path, &["Pin", "Box"]) => {
            let last = returned.path.segments.last();
            match last.map(|segment| &segment.arguments) {
                Some(PathArguments::AngleBracketed(arguments)) => {
                    arguments.args.iter().any(|argument| match argument {
                        GenericArgument::Type(inside) => is_future(inside),
                        _ => false,
                    })
                }
                _ => false,
            }
        }
        _ => false,
    }
}

fn last_is(path: &Path, names: &[&str]) -> bool {
    path.segments
        .last()
        .is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

fn no_timeout_without_waiting(arguments: &Arguments) -> Result<()> {
    match (arguments.option("blocking"), arguments.option("timeout")) {
        (Some(blocking), Some(timeout)) if is_bool(blocking, false) => Err(Error::new(
            timeout.span(),
            "`blocking = false` never waits, so a timeout has no meaning; remove one of the two",
        )),
        _ => Ok(()),
    }
}

fn file_options_need_external(arguments: &Arguments) -> Result<()> {
    match arguments.option("lock_path") {
        Some(value) if arguments.option("external").is_none() => Err(Error::new(
            value.span(),
            "`lock_path` is for locks between processes; add `external = true` or remove it",
        )),
        _ => Ok(()),
    }
}

fn panics_only_if_it_can_fail(arguments: &Arguments) -> Result<()> {
    match arguments.or_panic {
        Some(span) if !can_fail(arguments) => Err(Error::new(
            span,
            "this lock waits and cannot fail, so `or_panic` has no meaning; remove it",
        )),
        _ => Ok(()),
    }
}

/// Rejects a function without a return value, which cannot return the lock's error. The compiler
/// checks all other return types.
fn can_return_the_error(arguments: &Arguments, function: &ItemFn) -> Result<()> {
    if !can_fail(arguments) || arguments.or_panic.is_some() {
        return Ok(());
    }
    let what = match &function.sig.output {
        ReturnType::Default => "nothing".to_owned(),
        ReturnType::Type(_, returned) => match &**returned {
            Type::Tuple(tuple) if tuple.elems.is_empty() => "nothing".to_owned(),
            Type::Never(_) | Type::Reference(_) | Type::ImplTrait(_) => {
                format!("`{}`", returned.to_token_stream())
            }
            _ => return Ok(()),
        },
    };
    Err(Error::new(
        function.sig.ident.span(),
        format!(
            "this lock can fail, and `{}` returns {what}: return `Result<_, lockutils::Error>` (or \
             another error that is \
             `From<lockutils::Error>`), or add `or_panic` to #[synchronized(…)]",
            function.sig.ident
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(arguments: &str, function: &str) -> Vec<String> {
        let arguments: Arguments = syn::parse_str(arguments).unwrap();
        let function: ItemFn = syn::parse_str(function).unwrap();
        match all(&arguments, &function) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.to_string()).collect(),
        }
    }

    #[test]
    fn allows_what_works() {
        for (arguments, function) in [
            ("\"x\"", "fn f() {}"),
            ("\"x\", external", "fn f() -> Result<(), E> {}"),
            ("\"x\", external, or_panic", "fn f() {}"),
            ("\"x\", external = false", "fn f() {}"),
            ("\"x\", blocking = true, fair", "fn f() {}"),
            ("\"x\", timeout = t", "fn f() -> io::Result<u8> {}"),
        ] {
            assert_eq!(
                errors(arguments, function),
                Vec::<String>::new(),
                "{arguments} {function}"
            );
        }
    }

    #[test]
    fn reports_everything_at_once() {
        assert_eq!(
            errors("\"x\", blocking = false, timeout = t", "const fn f() {}").len(),
            3
        );
    }

    #[test]
    fn an_async_function_needs_the_feature() {
        let function: ItemFn = syn::parse_str("async fn f() {}").unwrap();
        assert!(async_is_enabled(&function, true).is_ok());
        let refusal = async_is_enabled(&function, false).unwrap_err();
        assert!(refusal.to_string().contains("features = [\"tokio\"]"));
    }

    #[test]
    fn a_function_that_only_makes_a_future_is_refused() {
        for returned in [
            "impl Future<Output = u8>",
            "impl core::future::Future<Output = u8> + Send + 'a",
            "Pin<Box<dyn Future<Output = u8> + Send + 'a>>",
            "futures::future::BoxFuture<'a, u8>",
        ] {
            let refused = errors("\"x\"", &format!("fn f() -> {returned} {{}}"));
            assert_eq!(refused.len(), 1, "{returned}");
        }
        for returned in ["Vec<u8>", "impl Iterator<Item = u8>", "Box<dyn Fn() -> u8>"] {
            let refused = errors("\"x\"", &format!("fn f() -> {returned} {{}}"));
            assert!(refused.is_empty(), "{returned}");
        }
    }

    #[test]
    fn refuses_and_says_what_to_do() {
        assert!(errors("\"x\", external", "fn f() {}")[0].contains("or add `or_panic`"));
        assert!(errors("\"x\", or_panic", "fn f() {}")[0].contains("cannot fail"));
        assert!(errors("\"x\", lock_path = d", "fn f() {}")[0].contains("external = true"));
    }

    #[test]
    fn stands_on_functions_only() {
        let message = |item: &str| function(item.parse().unwrap()).err().unwrap().to_string();
        assert!(message("struct S;").contains("stands on a function"));
        assert!(message("impl S { fn f() {} }").contains("each function inside"));
        assert!(message("fn f();").contains("with a body"));
    }
}
