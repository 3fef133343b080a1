//! From the description to code. The body stays inline, so that `?`, `return` and borrows mean what they meant.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, ExprLit, ItemFn, Lit};

use crate::check::can_fail;
use crate::parse::Arguments;

/// The function with its lock.
pub fn render(arguments: &Arguments, mut function: ItemFn) -> TokenStream {
    let crate_path = &arguments.crate_path;
    let path = {
        let ident = function.sig.ident.to_string();
        quote!(::core::concat!(::core::module_path!(), "::", #ident))
    };
    let acquire = acquire(arguments, &path);
    let statements = &function.block.stmts;
    let body = quote!({
        // The guard comes first, so that it goes last.
        let __synchronized = {
            use #crate_path::__private as __lock;
            #acquire
        };
        #(#statements)*
    });
    match syn::parse2(body) {
        Ok(block) => function.block = block,
        Err(error) => return error.into_compile_error(),
    }
    quote!(#function)
}

fn acquire(arguments: &Arguments, path: &TokenStream) -> TokenStream {
    let name = &arguments.name;
    if is_literal(name) && arguments.options.is_empty() {
        return quote! {
            static SITE: __lock::Site = __lock::Site::named(#name, #path);
            SITE.enter()
        };
    }
    let crate_path = &arguments.crate_path;
    let options =
        arguments
            .options
            .iter()
            .map(|(option, value)| match option.to_string().as_str() {
                "external" | "fair" | "blocking" | "timeout" => quote!(.#option(#value)),
                _ => quote!(.#option(&#value)),
            });
    let options = quote!(#crate_path::lockutils::lock(&#name) #(#options)*);
    let acquired = if can_fail(arguments) && arguments.or_panic.is_none() {
        quote! {
            match SITE.acquire(#options) {
                ::core::result::Result::Ok(guard) => guard,
                ::core::result::Result::Err(error) => return __lock::fail(error),
            }
        }
    } else {
        quote!(SITE.acquire_or_panic(#options))
    };
    quote! {
        static SITE: __lock::Site = __lock::Site::new(#path);
        #acquired
    }
}

fn is_literal(name: &Expr) -> bool {
    matches!(
        name,
        Expr::Lit(ExprLit {
            lit: Lit::Str(_),
            ..
        })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_keeps_its_name_its_documentation_and_its_signature() {
        let function = quote! {
            /// Bar.
            #[must_use]
            pub(crate) fn foo<T: Clone>(&self, value: T) -> T {
                value.clone()
            }
        };
        let arguments: Arguments = syn::parse_quote!("whatever", prefix = "test-");
        let before: ItemFn = syn::parse2(function).expect("a function");
        let after: ItemFn =
            syn::parse2(render(&arguments, before.clone())).expect("one function, no more");
        let but_for_the_body = |function: &ItemFn| {
            let ItemFn {
                attrs, vis, sig, ..
            } = function;
            quote!(#(#attrs)* #vis #sig).to_string()
        };
        assert!(but_for_the_body(&after).contains("Bar."));
        assert_eq!(but_for_the_body(&after), but_for_the_body(&before));
        assert!(after.block.stmts.len() > before.block.stmts.len());
    }
}
