//! Generates the function. The body stays inline, so that `?`, `return` and borrows keep their
//! meaning.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{Expr, FnArg, ItemFn, Pat, Result};

use super::parse::{Arguments, Name};

/// The field of a name that stands for the function's own name.
const FUNCTION: &str = "f_name";

/// The function with its locks.
pub fn render(arguments: &Arguments, mut function: ItemFn) -> Result<TokenStream> {
    let crate_path = &arguments.crate_path;
    let (guard, error) = (ours("guard"), ours("error"));
    let all = ours("locks");
    let locks = locks(arguments, &function);
    let acquired = match function.sig.asyncness {
        None => quote!(#all.acquire()),
        Some(_) => quote!(#all.acquire_async().await),
    };
    let acquired = quote! {
        match #all {
            ::core::result::Result::Ok(#all) => #acquired,
            ::core::result::Result::Err(#error) => ::core::result::Result::Err(#error),
        }
    };
    let name = function.sig.ident.to_string();
    let failed = match arguments.or_panic {
        true => quote!(::core::panic!("{}: {}", #name, #error)),
        false => quote!(return #crate_path::__private::fail(#error)),
    };
    let variable = arguments.guard.as_ref().map(|variable| {
        quote! {
            #[allow(unused_variables)]
            let #variable = &#guard;
        }
    });
    let statements = &function.block.stmts;
    let body = quote!({
        // In a statement of its own, so that nothing of the names lives during the wait.
        let #all = #locks;
        // The guard is declared before the body, so it is dropped last.
        let #guard = match #acquired {
            ::core::result::Result::Ok(#guard) => #guard,
            ::core::result::Result::Err(#error) => #failed,
        };
        #variable
        #(#statements)*
    });
    function.block = syn::parse2(body)?;
    Ok(quote!(#function))
}

/// An identifier of the expansion. Hygiene keeps the caller's local variables apart from it.
fn ours(name: &str) -> Ident {
    Ident::new(&format!("__oslo_coordination_{name}"), Span::mixed_site())
}

/// A `Result` with the locks and their options.
fn locks(arguments: &Arguments, function: &ItemFn) -> TokenStream {
    let crate_path = &arguments.crate_path;
    let names = arguments.names.iter().map(|name| match name {
        Name::Expr(name) => quote!(#crate_path::__private::name(&#name)),
        Name::Template(template) => {
            let format = &template.format;
            let fields = template.fields.iter().map(|field| {
                if is_function_name(field, function) {
                    let name = function.sig.ident.to_string();
                    quote!(#name)
                } else {
                    quote!(#field)
                }
            });
            quote!(#crate_path::__private::format(::core::format_args!(#format #(, #fields)*)))
        }
    });
    let options = arguments
        .options
        .iter()
        .map(|(option, value)| match option == "prefix" {
            true => quote!(.#option(&#value)),
            false => quote!(.#option(#value)),
        });
    let options = quote!(#(#options)*);
    let locks = quote!(locks([#(#names),*]) #options);
    match &arguments.with {
        Some(with) => quote! {
            ::core::result::Result::<_, #crate_path::Error>::Ok((&#with).#locks)
        },
        None => {
            let (coordinator, error) = (ours("coordinator"), ours("error"));
            quote! {
                match #crate_path::Coordinator::global() {
                    ::core::result::Result::Ok(#coordinator) => {
                        ::core::result::Result::Ok(#coordinator.#locks)
                    }
                    ::core::result::Result::Err(#error) => ::core::result::Result::Err(#error),
                }
            }
        }
    }
}

/// Returns `true` for `f_name`, unless a parameter has this name.
fn is_function_name(field: &Expr, function: &ItemFn) -> bool {
    let Expr::Path(path) = field else {
        return false;
    };
    let is_parameter = function.sig.inputs.iter().any(|input| match input {
        FnArg::Typed(input) => {
            matches!(&*input.pat, Pat::Ident(pattern) if pattern.ident == FUNCTION)
        }
        FnArg::Receiver(_) => false,
    });
    path.path.is_ident(FUNCTION) && !is_parameter
}
