package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// newTrail is what makes a trail that is enough.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
const newTrail = "aws cloudtrail create-trail --name management --is-multi-region-trail --s3-bucket-name BUCKET && aws cloudtrail start-logging --name management; " +
	"the bucket's policy must let CloudTrail in: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html"

// trail is a trail and what it means for the events.
type trail struct {
	types.Trail
	err      error  // it can't be seen whether it logs
	why      string // why it delivers none of the events; "" if it does
	mend     string
	without  []string // sources whose calls it leaves out
	filters  []string // other fields that it selects by
	noReads  bool     // it leaves out the read-only calls that begin sessions
	delivery string   // what keeps it from writing to its bucket
}

func (t *trail) name() string { return aws.ToString(t.Name) }

// trails looks for a trail that logs the calls that write, in the hub's region and
// where events of global services arrive. Without one EventBridge gets no events.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func (v *visit) trails(ctx context.Context) []Finding {
	watched := append([]string{v.region}, v.companions()...)
	type seen struct {
		trails []types.Trail
		err    error
	}
	lists := each(watched, func(region string) seen {
		// Shadow trails are those of other regions and of the organisation.
		out, err := cloudtrail.NewFromConfig(v.cfg, trailRegion(region)).DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)})
		if err != nil {
			return seen{err: err}
		}
		return seen{trails: out.TrailList}
	})
	byARN := map[string]types.Trail{}
	for _, l := range lists {
		for _, t := range l.trails {
			byARN[aws.ToString(t.TrailARN)] = t
		}
	}
	known := map[string]*trail{}
	arns := slices.Sorted(maps.Keys(byARN))
	for i, t := range each(arns, func(arn string) *trail { return v.study(ctx, byARN[arn]) }) {
		known[arns[i]] = t
	}
	var findings []Finding
	var without []string // regions
	for i, region := range watched {
		if err := lists[i].err; err != nil {
			findings = append(findings, unseen(region, err))
			continue
		}
		if len(lists[i].trails) == 0 {
			without = append(without, region)
			continue
		}
		var there []*trail
		for _, t := range lists[i].trails {
			there = append(there, known[aws.ToString(t.TrailARN)])
		}
		findings = append(findings, v.covered(region, there)...)
	}
	if len(without) > 0 {
		findings = append(findings, Finding{"", Fail, strings.Join(without, ", "), "there is no trail, so that no events arrive", newTrail})
	}
	for _, arn := range arns {
		if t := known[arn]; t.delivery != "" && t.why == "" {
			findings = append(findings, Finding{"", Info, t.name(), "doesn't write to its bucket: " + t.delivery + "; events arrive all the same", "mend the bucket's policy"})
		}
	}
	return findings
}

func trailRegion(region string) func(*cloudtrail.Options) {
	return func(o *cloudtrail.Options) { o.Region = region }
}

// study finds out what a trail logs. Its own region is asked, by ARN, as a trail of
// the organisation needs.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
func (v *visit) study(ctx context.Context, found types.Trail) *trail {
	t := &trail{Trail: found}
	arn, home := aws.ToString(found.TrailARN), aws.ToString(found.HomeRegion)
	client := cloudtrail.NewFromConfig(v.cfg, trailRegion(home))
	status, err := client.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &arn})
	if err != nil {
		t.err = err
		return t
	}
	t.delivery = aws.ToString(status.LatestDeliveryError)
	if !aws.ToBool(status.IsLogging) {
		t.why, t.mend = "its logging is off", "aws cloudtrail start-logging --region "+home+" --name "+arn
		return t
	}
	selectors, err := client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &arn})
	if err != nil {
		t.err = err
		return t
	}
	sources := v.sources()
	t.without, t.filters = leftOut(selectors, sources, false)
	unread, _ := leftOut(selectors, []string{"sts.amazonaws.com"}, true)
	t.noReads = len(unread) > 0
	if len(t.without) == len(sources) && len(sources) > 0 {
		t.why = "its event selectors leave out the management events that write"
		t.mend = "aws cloudtrail put-event-selectors --region " + home + " --trail-name " + arn +
			` --event-selectors '[{"ReadWriteType":"WriteOnly","IncludeManagementEvents":true}]' (this replaces its selectors)`
	}
	return t
}

// covered says whether a region's events arrive, given the trails there.
func (v *visit) covered(region string, there []*trail) []Finding {
	var good, unclear []*trail
	var bad []string
	mend := ""
	for _, t := range there {
		switch {
		case t.err != nil:
			unclear = append(unclear, t)
		case t.why != "":
			bad = append(bad, t.name()+": "+t.why)
			mend = t.mend
		case len(v.onlyIn(region)) > 0 && !aws.ToBool(t.IncludeGlobalServiceEvents):
			bad = append(bad, t.name()+": leaves out events of global services")
			mend = "aws cloudtrail update-trail --include-global-service-events --name " + aws.ToString(t.TrailARN)
		default:
			good = append(good, t)
		}
	}
	switch {
	case len(good) > 0:
		findings := selected(region, good)
		if v.policy.LookUps.Ledger && !slices.ContainsFunc(good, func(t *trail) bool { return !t.noReads }) {
			findings = append(findings, Finding{"", Warn, region, "the trail's event selectors leave out read-only calls, such as AssumeRole: sessions aren't recorded, and chains of roles end there",
				"aws cloudtrail put-event-selectors, with ReadWriteType All"})
		}
		return findings
	case len(unclear) > 0:
		f := unseen(region, unclear[0].err)
		f.Found = "whether the trail " + unclear[0].name() + " logs " + f.Found
		return []Finding{f}
	}
	return []Finding{{"", Fail, region, "no trail brings events: " + strings.Join(bad, "; "), mend}}
}

// selected is the good case, and what all of the region's trails leave out.
func selected(region string, good []*trail) []Finding {
	var names []string
	without, filters := good[0].without, good[0].filters
	for _, t := range good {
		name := t.name()
		switch {
		case aws.ToBool(t.IsOrganizationTrail):
			name += " (organisation)"
		case !aws.ToBool(t.IsMultiRegionTrail):
			name += " (this region only)"
		}
		names = append(names, name)
		without = slices.DeleteFunc(slices.Clone(without), func(s string) bool { return !slices.Contains(t.without, s) })
		if len(t.filters) < len(filters) {
			filters = t.filters
		}
	}
	findings := []Finding{{"", OK, region, "logged by " + strings.Join(names, ", "), ""}}
	if len(without) > 0 {
		findings = append(findings, Finding{"", Warn, region, "the trail's event selectors leave out " + some(without) + ": what these create isn't tagged",
			"aws cloudtrail put-event-selectors, without the exclusion"})
	}
	if len(filters) > 0 {
		findings = append(findings, Finding{"", Warn, region, "the trail selects events by " + strings.Join(filters, ", ") + ": what it leaves out isn't tagged",
			"aws cloudtrail get-event-selectors --trail-name " + aws.ToString(good[0].TrailARN)})
	}
	return findings
}

// sources are the event sources whose calls are handled.
func (v *visit) sources() []string {
	var all []string
	for _, r := range v.rows {
		if n := len(all); n == 0 || all[n-1] != r.Source { // rows are sorted by it
			all = append(all, r.Source)
		}
	}
	return all
}

// leftOut lists the sources of whose calls, those that write or those that are
// read-only, no selector takes any, and the fields, beside those understood here, that
// selectors ask for.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func leftOut(s *cloudtrail.GetEventSelectorsOutput, sources []string, readOnly bool) (without, filters []string) {
	if len(s.EventSelectors)+len(s.AdvancedEventSelectors) == 0 {
		return nil, nil // the default: all management events
	}
	conditional := map[string]bool{}
	but := types.ReadWriteTypeReadOnly
	if readOnly {
		but = types.ReadWriteTypeWriteOnly
	}
	for _, source := range sources {
		taken := slices.ContainsFunc(s.EventSelectors, func(e types.EventSelector) bool {
			return (e.IncludeManagementEvents == nil || *e.IncludeManagementEvents) &&
				e.ReadWriteType != but &&
				!slices.Contains(e.ExcludeManagementEventSources, source)
		})
		for _, a := range s.AdvancedEventSelectors {
			ok, fields := takes(a, source, readOnly)
			taken = taken || ok
			if ok {
				for _, f := range fields {
					conditional[f] = true
				}
			}
		}
		if !taken {
			without = append(without, source)
		}
	}
	return without, slices.Sorted(maps.Keys(conditional))
}

// takes reports whether an advanced selector takes management events of a source, and by
// which other fields it selects.
func takes(a types.AdvancedEventSelector, source string, readOnly bool) (ok bool, others []string) {
	for _, f := range a.FieldSelectors {
		field := aws.ToString(f.Field)
		value, understood := map[string]string{"eventCategory": "Management", "readOnly": strconv.FormatBool(readOnly), "eventSource": source}[field]
		if !understood {
			others = append(others, field)
		} else if !allows(f, value) {
			return false, nil
		}
	}
	return true, others
}

func allows(f types.AdvancedFieldSelector, value string) bool {
	has := func(list []string, match func(value, item string) bool) bool {
		return slices.ContainsFunc(list, func(item string) bool { return match(value, item) })
	}
	equal := func(a, b string) bool { return a == b }
	if has(f.NotEquals, equal) || has(f.NotStartsWith, strings.HasPrefix) || has(f.NotEndsWith, strings.HasSuffix) {
		return false
	}
	return len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) == 0 ||
		has(f.Equals, equal) || has(f.StartsWith, strings.HasPrefix) || has(f.EndsWith, strings.HasSuffix)
}

// some is a list that a person can take in.
func some(list []string) string {
	const most = 12
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
