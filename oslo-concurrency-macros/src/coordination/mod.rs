//! The attribute `#[synchronized]` of `oslo-coordination`.

mod parse;
mod render;
mod template;

use proc_macro2::TokenStream;
use syn::{Error, ItemFn, Result, ReturnType, Type};

use crate::check;
use parse::Arguments;

/// The function with its locks, or the errors.
pub fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match check::function(item) {
        Ok(function) => function,
        Err(error) => return error.into_compile_error(),
    };
    let rendered = syn::parse2::<Arguments>(arguments).and_then(|arguments| {
        check::not_const(&function)?;
        check::not_a_future(&function)?;
        can_return_the_error(&arguments, &function)?;
        render::render(&arguments, function.clone())
    });
    rendered.unwrap_or_else(|error| {
        let errors = error.into_compile_error();
        // The function itself stays, so that its callers do not cause further errors.
        quote::quote!(#errors #function)
    })
}

/// Rejects a function without a return value. The compiler checks all other return types.
fn can_return_the_error(arguments: &Arguments, function: &ItemFn) -> Result<()> {
    let returns_nothing = match &function.sig.output {
        ReturnType::Default => true,
        ReturnType::Type(_, returned) => match &**returned {
            Type::Tuple(tuple) => tuple.elems.is_empty(),
            Type::Never(_) => true,
            _ => false,
        },
    };
    if !returns_nothing || arguments.or_panic {
        return Ok(());
    }
    let name = &function.sig.ident;
    Err(Error::new(
        name.span(),
        format!(
            "a lock between hosts can fail, and `{name}` returns nothing: return \
             `Result<_, oslo_coordination::Error>` (or another error that is \
             `From<oslo_coordination::Error>`), or add `or_panic` to #[synchronized(…)]"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &str, function: &str) -> String {
        expand(arguments.parse().unwrap(), function.parse().unwrap()).to_string()
    }

    #[test]
    fn says_what_to_write() {
        let function = "fn f(id: u32) -> Result<(), E> { Ok(()) }";
        for (arguments, message) in [
            ("", "needs the name of its lock"),
            ("with = C", "needs the name of its lock"),
            ("\"a\", tiemout = t", "did you mean `timeout`?"),
            ("\"a\", colour = 1", "there are with, prefix"),
            ("\"a\", timeout = t, timeout = u", "given twice"),
            ("7", "write \\\"7\\\""),
            ("\"{id\"", "`{{`"),
            ("\"id}\"", "`}}`"),
            ("\"{}\"", "{volume.id}"),
            ("\"{id +}\"", "id +"),
        ] {
            let text = expanded(arguments, function);
            assert!(text.contains("compile_error"), "{arguments}: {text}");
            assert!(text.contains(message), "{arguments}: {text}");
            assert!(text.contains("fn f"), "{arguments}: {text}");
        }
        let text = expanded("\"a\"", "fn f() {}");
        assert!(text.contains("or add `or_panic`"), "{text}");
        let text = expanded("\"a\"", "fn f() -> impl Future<Output = ()> {}");
        assert!(text.contains("returns a future"), "{text}");
    }

    #[test]
    fn allows_what_works() {
        for (arguments, function) in [
            ("\"a\"", "fn f() -> Result<(), E> { Ok(()) }"),
            ("\"a\", \"b-{x}\", with = C, or_panic", "fn f(x: u8) {}"),
            (
                "&format!(\"{x}\"), guard = g",
                "async fn f(x: u8) -> R { g.check()?; Ok(()) }",
            ),
            (
                "\"{f_name}-{v.id:04}-{{}}\", prefix = \"p\", blocking = b(), timeout = t,",
                "fn f(&self, v: V) -> Result<(), E> { Ok(()) }",
            ),
        ] {
            let text = expanded(arguments, function);
            assert!(!text.contains("compile_error"), "{text}");
            syn::parse_str::<ItemFn>(&text).unwrap();
        }
    }
}
