//! What other people's CI runs: our action and our template are valid, and their steps do what they say, in the environment that the service
//! gives them.

mod action;
mod first_steps;
mod github;
mod gitlab;
mod script;
mod yaml;
