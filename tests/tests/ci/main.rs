//! What CI runs, other people's and ours: our action, template and workflow are valid, and their steps do what they say, in the environment that the service
//! gives them.

mod action;
mod first_steps;
mod github;
mod gitlab;
mod own;
mod script;
mod yaml;
