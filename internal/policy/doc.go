// Package policy is what an operator decides: which tags are written, where
// the cost center comes from, what is left alone, and which cross-origin rules
// a new bucket gets.
//
// A policy is read once, from YAML, and then only asked:
//
//	p, err := policy.Parse("autotagger.yaml", data)
//	...
//	if why, excluded := p.Excluded(subject); excluded { … }
//	if p.ModeFor(account, region) == policy.Off { … }
//	if why := p.RowOff(row); why != "" { … } // of the catalogue
//	value, source := p.CostCenterFor(subject, policy.Known{Resource: requestTags})
//	rules, ok := p.CORSFor(bucket)
//
// [Default] is the policy of an empty file: the creator on every resource, the
// cost center where the create request names one itself, and read-only
// cross-origin rules on buckets. Every key of the file is in
// docs/configuration.md.
//
// # Pure
//
// Nothing here calls AWS or reads a clock, a file or the environment. The
// function, the command line and a replay of last month's events decide alike
// because the same bytes always give the same policy and a policy always gives
// the same answers. A Policy isn't changed after it is made, so it may be
// shared between goroutines.
//
// # How a file is read
//
// [Parse] takes four steps, one file each:
//
//   - yaml.go refuses YAML that is costly or that lets one line stand for
//     another (aliases, deep nesting), parses the rest and keeps the line of
//     every value;
//   - schema.go checks the shape against schema.json, the JSON Schema that
//     editors use too;
//   - parse.go builds the Policy and checks what a schema can't say, such as
//     two tags under one key;
//   - fault.go holds what was found. An operator sees every fault at once,
//     each with its line and what is allowed instead.
//
// The file is refused as a whole or taken as a whole: a policy with a fault in
// it would tag hundreds of accounts with something nobody meant.
//
// # Adding a place the cost center may come from
//
// Sources are asked in the file's order, and [Source.Kind] tells them apart. A
// new kind is a property of a source in schema.json, a field of [Source] with
// its [SourceKind], and a case where it is answered: in
// [Policy.CostCenterFor] if the record alone can answer, else in the package
// that does the look-up.
//
// # Globs
//
// Lists of accounts, regions, names and so on hold globs: * stands for any run
// of characters, ? for one, and a backslash takes the next character as it is.
// They match the whole value and case counts, except for creators, since mail
// addresses arrive in either case.
package policy
