use oslo_concurrency::lockutils;
use std::future::Future;
use std::pin::Pin;

#[lockutils::synchronized("x")]
fn future() -> impl Future<Output = u8> {
    std::future::ready(1)
}

#[lockutils::synchronized("x", external)]
fn boxed<'a>(_text: &'a str) -> Pin<Box<dyn Future<Output = Result<(), lockutils::Error>> + Send + 'a>> {
    Box::pin(std::future::ready(Ok(())))
}

fn main() {}
