//! Parses the attribute's arguments into a typed description with spans.

use proc_macro2::Span;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Lit, Path, Result, Token, parse_quote};

/// All arguments of the attribute.
pub const KNOWN: [&str; 11] = [
    "external",
    "prefix",
    "lock_path",
    "semaphores",
    "fair",
    "blocking",
    "timeout",
    "warn_after",
    "with",
    "or_panic",
    "crate",
];

/// The arguments of one `#[synchronized(…)]`.
pub struct Arguments {
    pub name: Expr,
    /// The options of the lock, in the order in which they were written: method name and argument.
    pub options: Vec<(Ident, Expr)>,
    pub or_panic: Option<Span>,
    pub crate_path: Path,
}

impl Arguments {
    pub fn option(&self, wanted: &str) -> Option<&Expr> {
        self.options
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "a synchronized function needs the name of its lock: #[synchronized(\"my_lock\")]",
            ));
        }
        let name: Expr = input.parse()?;
        if let Some(known) = mistaken_for_name(&name) {
            return Err(Error::new(
                name.span(),
                format!(
                    "the name of the lock comes first: #[synchronized(\"my_lock\", {known} …)]"
                ),
            ));
        }
        if let Some(literal) = literal_but_no_string(&name) {
            let written = literal.to_token_stream();
            return Err(Error::new(
                name.span(),
                format!("the name of a lock is a string: write \"{written}\""),
            ));
        }
        let mut arguments = Arguments {
            name,
            options: Vec::new(),
            or_panic: None,
            crate_path: parse_quote!(::oslo_concurrency),
        };
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let argument: Ident = input.call(syn::ext::IdentExt::parse_any)?;
            if seen.contains(&argument) {
                return Err(Error::new(
                    argument.span(),
                    format!("`{argument}` is given twice; keep one"),
                ));
            }
            arguments.take(&argument, input)?;
            seen.push(argument);
        }
        Ok(arguments)
    }
}

impl Arguments {
    fn take(&mut self, argument: &Ident, input: ParseStream<'_>) -> Result<()> {
        match argument.to_string().as_str() {
            "external" | "fair" if !input.peek(Token![=]) => {
                self.options.push((argument.clone(), parse_quote!(true)));
            }
            "or_panic" => self.or_panic = Some(argument.span()),
            "crate" => {
                input.parse::<Token![=]>()?;
                self.crate_path = input.parse()?;
            }
            known if KNOWN.contains(&known) => {
                if !input.peek(Token![=]) {
                    return Err(Error::new(
                        argument.span(),
                        format!("`{known}` needs a value: {known} = …"),
                    ));
                }
                input.parse::<Token![=]>()?;
                self.options.push((argument.clone(), input.parse()?));
            }
            unknown => {
                return Err(Error::new(
                    argument.span(),
                    unknown_argument(unknown, &KNOWN),
                ));
            }
        }
        Ok(())
    }
}

/// Detects `#[synchronized(external = true)]`: an option in place of the name.
fn mistaken_for_name(name: &Expr) -> Option<String> {
    let path = match name {
        Expr::Assign(assign) => &*assign.left,
        other => other,
    };
    let Expr::Path(path) = path else { return None };
    let ident = path.path.get_ident()?.to_string();
    let assigned = matches!(name, Expr::Assign(_));
    (KNOWN.contains(&ident.as_str())
        && (assigned || ident == "external" || ident == "fair" || ident == "or_panic"))
        .then_some(ident)
}

fn literal_but_no_string(name: &Expr) -> Option<&Lit> {
    match name {
        Expr::Lit(literal) if !matches!(literal.lit, Lit::Str(_)) => Some(&literal.lit),
        _ => None,
    }
}

/// The message about an argument that is not one of `known`.
pub fn unknown_argument(unknown: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|known| distance(known, unknown));
    match nearest.filter(|known| distance(known, unknown) <= 3) {
        Some(nearest) => format!("there is no argument `{unknown}`; did you mean `{nearest}`?"),
        None => format!(
            "there is no argument `{unknown}`; there are {}",
            known.join(", ")
        ),
    }
}

/// The Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(from != *to))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(arguments: &str) -> String {
        match syn::parse_str::<Arguments>(arguments) {
            Ok(_) => panic!("{arguments} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn takes_all_arguments() {
        let arguments: Arguments = syn::parse_str(
            r#""x", external, prefix = "p", lock_path = d(), fair = true, blocking = a,
              timeout = t, with = M, or_panic, crate = a::b,"#,
        )
        .unwrap();
        let names: Vec<String> = arguments
            .options
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(
            names,
            [
                "external",
                "prefix",
                "lock_path",
                "fair",
                "blocking",
                "timeout",
                "with"
            ]
        );
        assert!(arguments.or_panic.is_some());
        assert_eq!(arguments.crate_path.segments.len(), 2);
    }

    #[test]
    fn says_what_to_write() {
        assert!(error("").contains("#[synchronized(\"my_lock\")]"));
        assert!(error("external = true").contains("comes first"));
        assert!(error("\"x\", externel = true").contains("did you mean `external`"));
        assert!(error("\"x\", colour = 1").contains("there are external, prefix"));
        assert!(error("7").contains("write \"7\""));
        assert!(error("\"x\", prefix").contains("prefix = …"));
        assert!(error("\"x\", fair, fair").contains("given twice"));
    }
}
