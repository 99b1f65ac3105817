// Package provenance holds the nouns of the audit trail of a machine-learning model: what was built, from which commit,
// data, training run and model, and how each of these facts is known.
//
// The way of the data: sources answer with [Evidence]; [NewStatement] joins it into one in-toto Statement v1 with a SLSA
// provenance v1 predicate; [Statement.Bytes] are its deterministic bytes, which are signed elsewhere; [Read] is the way
// back, from a statement to the [Record] that policy, report and trace work on.
//
// The format is specified in spec/azure-pipelines-ml-v1.md. The package has no network and no cloud SDK.
package provenance
