//! Generates the function from the description. The body stays inline, so that `?`, `return` and
//! borrows keep their meaning.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprLit, ItemFn, Lit, ReturnType, Type, parse_quote};

use crate::check::can_fail;
use crate::parse::Arguments;

/// The function with its lock.
pub fn render(arguments: &Arguments, mut function: ItemFn) -> TokenStream {
    let path = {
        let ident = function.sig.ident.to_string();
        quote!(::core::concat!(::core::module_path!(), "::", #ident))
    };
    let body = match &function.sig.asyncness {
        None => blocking_body(arguments, &path, &function),
        Some(_) => async_body(arguments, &path, &function),
    };
    match syn::parse2(body) {
        Ok(block) => function.block = block,
        Err(error) => return error.into_compile_error(),
    }
    quote!(#function)
}

/// An identifier of the expansion. Hygiene keeps the caller's local variables apart from it.
fn ours(name: &str) -> Ident {
    Ident::new(&format!("__oslo_concurrency_{name}"), Span::mixed_site())
}

/// The static of this function, in a block of its own. The caller's expressions are outside the
/// block and cannot name it; inside the block it shadows parameters, generic constants and items.
fn site(arguments: &Arguments, new: TokenStream) -> TokenStream {
    let (crate_path, site) = (&arguments.crate_path, ours("site"));
    quote!({
        static #site: #crate_path::__private::Site = #crate_path::__private::Site::#new;
        &#site
    })
}

fn blocking_body(arguments: &Arguments, path: &TokenStream, function: &ItemFn) -> TokenStream {
    let acquire = if is_literal(&arguments.name) && arguments.options.is_empty() {
        let name = &arguments.name;
        let site = site(arguments, quote!(named(#name, #path)));
        quote!((#site).enter())
    } else {
        let site = site(arguments, quote!(new(#path)));
        acquire(
            arguments,
            path,
            &|options| quote!((#site).acquire(#options)),
        )
    };
    let (guard, statements) = (ours("guard"), &function.block.stmts);
    quote!({
        // The guard is declared first, so it is dropped last.
        let #guard = #acquire;
        #(#statements)*
    })
}

/// The body and the guard form a future of their own, so that the library knows whether the thread
/// is running it. The future owns the parameters it uses and drops them last, as the blocking form
/// does.
fn async_body(arguments: &Arguments, path: &TokenStream, function: &ItemFn) -> TokenStream {
    let crate_path = &arguments.crate_path;
    let (section, guard) = (ours("section"), ours("guard"));
    let site = site(arguments, quote!(new(#path)));
    let acquire = acquire(
        arguments,
        path,
        &|options| quote!(#section.acquire(#site, #options).await),
    );
    let return_type = return_type(&function.sig.output);
    let statements = &function.block.stmts;
    quote!({
        let #section = #crate_path::__private::Section::new();
        #section
            .within(async move {
                #return_type
                let #guard = #acquire;
                #(#statements)*
            })
            .await
    })
}

/// Declares the type of the future, which `?` and coercions need.
fn return_type(output: &ReturnType) -> Option<TokenStream> {
    struct Inferred;
    impl VisitMut for Inferred {
        fn visit_type_mut(&mut self, part: &mut Type) {
            if matches!(part, Type::ImplTrait(_)) {
                *part = parse_quote!(_);
            } else {
                syn::visit_mut::visit_type_mut(self, part);
            }
        }
    }
    let ReturnType::Type(_, returned) = output else {
        return None;
    };
    if matches!(**returned, Type::Never(_)) {
        return None;
    }
    let mut returned = returned.clone();
    Inferred.visit_type_mut(&mut returned);
    let value = ours("returned");
    Some(quote! {
        #[allow(unreachable_code, clippy::all)]
        if false {
            let #value: #returned = loop {};
            return #value;
        }
    })
}

/// Acquires the lock with `call`, passing the options; on failure returns the error or panics, as
/// `or_panic` says.
fn acquire(
    arguments: &Arguments,
    path: &TokenStream,
    call: &dyn Fn(TokenStream) -> TokenStream,
) -> TokenStream {
    let (crate_path, name) = (&arguments.crate_path, &arguments.name);
    let options =
        arguments
            .options
            .iter()
            .map(|(option, value)| match option.to_string().as_str() {
                "external" | "fair" | "blocking" | "timeout" | "warn_after" => {
                    quote!(.#option(#value))
                }
                _ => quote!(.#option(&#value)),
            });
    let acquire = call(quote!(#crate_path::lockutils::lock(&#name) #(#options)*));
    let (guard, error) = (ours("guard"), ours("error"));
    let failed = if can_fail(arguments) && arguments.or_panic.is_none() {
        quote!(return #crate_path::__private::fail(#error))
    } else {
        let site = site(arguments, quote!(new(#path)));
        quote!((#site).panic(#error))
    };
    quote! {
        match #acquire {
            ::core::result::Result::Ok(#guard) => #guard,
            ::core::result::Result::Err(#error) => #failed,
        }
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
