package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/verify"
)

// junitClass is the class of all test cases, by which Azure Pipelines groups them.
const junitClass = "provenance.verify"

// junitTime stands where a duration in seconds would: none is measured, and Ant's format asks for one.
const junitTime = "0"

// The elements and attributes that both Ant and Jenkins know, in Ant's order; PublishTestResults of Azure Pipelines reads them.
// Source: https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/publish-test-results-v2#result-formats-mapping
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		SystemOut  string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		ClassName string       `xml:"classname,attr"`
		Name      string       `xml:"name,attr"`
		Time      string       `xml:"time,attr"`
		Failure   *junitReason `xml:"failure"` // it does not hold
		Error     *junitReason `xml:"error"`   // nobody could tell
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a decision as a test suite, for a build server: a test case for each code that was found, one for the verdict
// itself, and the warnings as the suite's output. What refuses is a failure, and what nobody could tell an error.
func JUnit(w io.Writer, r verify.Result) error {
	suite := junitSuite{Name: imageName(r.Repository, r.Image), Time: junitTime, Properties: junitProperties(r),
		Cases: junitCases(r), SystemOut: junitOutput(r)}
	for _, c := range suite.Cases {
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Error != nil {
			suite.Errors++
		}
	}
	data, err := xml.MarshalIndent(junitSuites{Suite: suite}, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err = safe(w).Write([]byte(xml.Header + string(data) + "\n"))
	return err
}

func junitProperties(r verify.Result) []junitProperty {
	properties := []junitProperty{{"verdict", string(r.Verdict)}, {"image", clean(r.Image.String())}}
	if r.PolicyName != "" {
		properties = append(properties, junitProperty{"policy", clean(r.PolicyName)}, junitProperty{"policyDigest", r.PolicyDigest.String()})
	}
	return properties
}

// junitCases are the verdict, the sections and rules of the policy that hold, and one case for each code, in the order in which they
// were found.
func junitCases(r verify.Result) []junitCase {
	cases := []junitCase{junitVerdict(r)}
	for _, o := range r.Rules {
		if o.State == verify.Holds {
			cases = append(cases, junitCase{ClassName: junitClass, Name: clean(o.Rule), Time: junitTime})
		}
	}
	of := map[string][]verify.Finding{}
	var codes []string
	for _, f := range r.Findings {
		if of[f.Code] == nil {
			codes = append(codes, f.Code)
		}
		of[f.Code] = append(of[f.Code], f)
	}
	for _, code := range codes {
		cases = append(cases, junitFailed(code, of[code]))
	}
	return cases
}

func junitVerdict(r verify.Result) junitCase {
	c := junitCase{ClassName: junitClass, Name: "verdict", Time: junitTime}
	reason := &junitReason{Message: fmt.Sprintf("%s: %s", r.Verdict, reasonsTitle(r)), Type: string(r.Verdict), Text: policyName(r)}
	switch r.Verdict {
	case verify.Accepted:
	case verify.Refused:
		c.Failure = reason
	default:
		c.Error = reason
	}
	return c
}

// junitFailed is the case of a code. It is an error only when nobody could tell any of it.
func junitFailed(code string, findings []verify.Finding) junitCase {
	c := junitCase{ClassName: junitClass, Name: clean(code), Time: junitTime}
	undecided := true
	var lines []string
	for _, f := range findings {
		undecided = undecided && f.Undecided
		lines = append(lines, junitLines(f)...)
	}
	message := clean(findings[0].Detail)
	if more := len(findings) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more)", more)
	}
	reason := &junitReason{Message: message, Type: c.Name, Text: strings.Join(lines, "\n")}
	if undecided {
		c.Error = reason
	} else {
		c.Failure = reason
	}
	return c
}

// junitLines are a finding and what explains it.
func junitLines(f verify.Finding) []string {
	lines := []string{clean(f.Detail)}
	for _, line := range explain(f) {
		lines = append(lines, "  "+clean(line))
	}
	return lines
}

// junitOutput are the warnings, as text shows them.
func junitOutput(r verify.Result) string {
	if len(r.Warnings) == 0 {
		return ""
	}
	lines := []string{warningsTitle(r) + ":"}
	for _, f := range shown(r.Warnings) {
		explained := junitLines(f)
		lines = append(lines, clean(f.Code)+": "+explained[0])
		lines = append(lines, explained[1:]...)
	}
	if left := len(r.Warnings) - maxWarnings; left > 0 {
		lines = append(lines, fmt.Sprintf("and %d more; --format json has them all", left))
	}
	return strings.Join(lines, "\n")
}
