module ci/tools/junit

go 1.26.0

tool github.com/jstemmer/go-junit-report/v2

require github.com/jstemmer/go-junit-report/v2 v2.1.0 // indirect
