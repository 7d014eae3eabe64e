//! Every bound of this crate, each with its reason.

/// How deep filters may nest. Every evaluator walks filters recursively, so
/// this bounds its stack; nobody reads a filter nested deeper.
pub const FILTER_DEPTH_MAX: usize = 32;

/// How many filter objects one trigger may hold. Bounds what one trigger can
/// cost per event; generated filters of several hundred terms still fit.
pub const FILTER_NODES_MAX: usize = 4096;

/// Bytes of one CESQL expression. Larger ones are not written by hand, and the
/// cost of an evaluation is proportional to the expression.
pub const EXPRESSION_BYTES_MAX: usize = 16 * 1024;

/// Height of a CESQL syntax tree, chains of operators included, and how deep its
/// text may nest. Parser, folding, compiler, printer and destructor recurse, and
/// must fit a thread's stack of 2 MiB even in a build without optimisation.
pub const EXPRESSION_DEPTH_MAX: usize = 150;

/// Characters of a part of a LIKE pattern between two `%` that contains `_`.
/// Finding such a part costs its length times the length of the value; parts
/// without `_` are found in linear time and have no bound of their own.
pub const LIKE_WILDCARD_RUN_MAX: usize = 256;

/// Bytes of a string that CONCAT or CONCAT_WS builds: more is an error of the
/// function. Without it a short expression could ask for a multiple of the
/// event's largest attribute.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Conditions shared between triggers whose outcome is remembered during one
/// event. The memory is an array on the stack, two bits each; conditions
/// beyond the bound are still correct, only evaluated again.
pub const REMEMBERED_CONDITIONS_MAX: usize = 8192;

/// Distinct attribute names of one matcher that fit the scratch on the stack;
/// with more names each event allocates its scratch once.
pub const ATTRIBUTES_INLINE: usize = 32;
