//! The CI files for users and our own: action, template and workflow are valid, and their steps
//! work in the environment of each service.

mod action;
mod first_steps;
mod github;
mod gitlab;
mod own;
mod script;
mod yaml;
