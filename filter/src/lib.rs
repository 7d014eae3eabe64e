//! Filters of triggers: which triggers does an event go to?
//!
//! The crate promises that every dialect means what the contract says (section
//! 2), that a mistake in a filter is found when it is configured and explained
//! to its author, and that judging an event costs about the same for one
//! trigger as for ten thousand. It is pure: no I/O, no clock, no global state;
//! whatever text or event comes in, every function returns, in time and memory
//! bounded by the input and [`limits`].
//!
//! It knows nothing of triggers' names, of where events come from and of the
//! manifests filters are written in. In order: [`Filter`] is what is asked,
//! [`Attributes`] what an event shows, [`validate`](validate()) checks, [`Matcher`]
//! decides, [`explain`](explain()) gives reasons; [`cesql`] is the expression
//! language among the dialects.
//!
//! ```
//! use eagre_filter::{Attributes, Filter, Matcher, Value};
//!
//! struct Created;
//! impl Attributes for Created {
//!     fn get(&self, name: &str) -> Option<Value<'_>> {
//!         (name == "type").then_some(Value::String("com.example.order.created"))
//!     }
//! }
//!
//! let mut matcher = Matcher::new();
//! matcher.insert(7, &Filter::Prefix(vec![("type".into(), "com.example.".into())]))?;
//! matcher.insert(8, &Filter::Cesql("type LIKE '%.deleted' OR EXISTS subject".into()))?;
//! let mut slots = Vec::new();
//! matcher.matches(&Created, &mut slots);
//! assert_eq!(slots, [7]);
//! # Ok::<(), eagre_filter::Problem>(())
//! ```

mod ast;
pub mod limits;
mod value;
mod view;

pub mod cesql;

mod condition;
mod index;

mod explain;
mod path;
mod problem;
mod validate;

pub use ast::Filter;
pub use explain::{Explanation, Stop, Verdict, explain};
pub use index::Matcher;
pub use problem::Problem;
pub use validate::{validate, warnings};
pub use value::{Attributes, Value};
