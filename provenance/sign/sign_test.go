package sign_test

// statement is the least that stock cosign takes for SLSA provenance; its subject is a file with the content "hello\n".
const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"blob","digest":{"sha256":` +
	`"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}}],"predicateType":"https://slsa.dev/provenance/v1",` +
	`"predicate":{"buildDefinition":{"buildType":"https://example.com/build","externalParameters":{"a":"b"}},` +
	`"runDetails":{"builder":{"id":"https://example.com/builder"}}}}`
