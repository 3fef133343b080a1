//! Parses the attribute's arguments.

use proc_macro2::Span;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Ident, Lit, Path, Result, Token, parse_quote};

use super::template::Template;
use crate::parse::unknown_argument;

/// All options of the attribute.
const KNOWN: [&str; 8] = [
    "with",
    "prefix",
    "blocking",
    "timeout",
    "warn_after",
    "guard",
    "or_panic",
    "crate",
];

/// The arguments of one `#[synchronized(…)]`.
pub struct Arguments {
    /// One or more.
    pub names: Vec<Name>,
    pub with: Option<Expr>,
    /// The options of the locks: method name and argument.
    pub options: Vec<(Ident, Expr)>,
    /// A variable for the guards.
    pub guard: Option<Ident>,
    pub or_panic: bool,
    pub crate_path: Path,
}

/// The name of a lock.
pub enum Name {
    /// A literal with fields, such as `"{volume.id}-delete"`.
    Template(Template),
    /// Any expression.
    Expr(Expr),
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Arguments {
            names: Vec::new(),
            with: None,
            options: Vec::new(),
            guard: None,
            or_panic: false,
            crate_path: parse_quote!(::oslo_coordination),
        };
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            if is_option(input) {
                let option: Ident = input.call(Ident::parse_any)?;
                if seen.contains(&option) {
                    return Err(Error::new(
                        option.span(),
                        format!("`{option}` is given twice; keep one"),
                    ));
                }
                arguments.take(&option, input)?;
                seen.push(option);
            } else {
                arguments.names.push(name(input.parse()?)?);
            }
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        if arguments.names.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "a synchronized function needs the name of its lock: \
                 #[synchronized(\"{volume.id}-delete\")]",
            ));
        }
        Ok(arguments)
    }
}

/// Returns `true` before `option = …`, and before `or_panic`.
fn is_option(input: ParseStream<'_>) -> bool {
    if !input.peek(Ident::peek_any) {
        return false;
    }
    let ahead = input.fork();
    let Ok(ident) = ahead.call(Ident::parse_any) else {
        return false;
    };
    let is_assigned = ahead.peek(Token![=]) && !ahead.peek(Token![==]);
    is_assigned || (ident == "or_panic" && (ahead.is_empty() || ahead.peek(Token![,])))
}

fn name(name: Expr) -> Result<Name> {
    match name {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Template::parse(&text).map(Name::Template),
        Expr::Lit(ExprLit { lit, .. }) if !matches!(lit, Lit::ByteStr(_)) => {
            let written = lit.to_token_stream();
            Err(Error::new(
                lit.span(),
                format!("the name of a lock is a string: write \"{written}\""),
            ))
        }
        other => Ok(Name::Expr(other)),
    }
}

impl Arguments {
    fn take(&mut self, option: &Ident, input: ParseStream<'_>) -> Result<()> {
        let word = option.to_string();
        if word == "or_panic" {
            self.or_panic = true;
            return Ok(());
        }
        if !KNOWN.contains(&word.as_str()) {
            return Err(Error::new(option.span(), unknown_argument(&word, &KNOWN)));
        }
        input.parse::<Token![=]>()?;
        match word.as_str() {
            "with" => self.with = Some(input.parse()?),
            "guard" => self.guard = Some(input.parse()?),
            "crate" => self.crate_path = input.parse()?,
            _ => self.options.push((option.clone(), input.parse()?)),
        }
        Ok(())
    }
}
