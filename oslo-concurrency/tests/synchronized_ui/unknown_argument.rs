use oslo_concurrency::lockutils;

#[lockutils::synchronized("x", externel = true)]
fn misspelt() {}

#[lockutils::synchronized("x", colour = "red")]
fn unheard_of() {}

#[lockutils::synchronized("x", fair, fair = false)]
fn twice() {}

#[lockutils::synchronized("x", prefix)]
fn without_a_value() {}

fn main() {}
