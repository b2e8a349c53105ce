package catalogue

import "slices"

// Companions returns the regions of a partition in which the events of the rows'
// global services arrive, sorted. It reports false where that isn't known of the
// partition: there [Row.Arrives], which is of the commercial partition, says only
// that a service is global.
//
// In GovCloud all of them arrive in one region. China has two regions, and since
// 2021 CloudFront's arrive in Ningxia rather than in Beijing; where others do AWS
// doesn't say, so that both are listened to.
//
//   - https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
//   - https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-cloudtrail.html
//   - https://docs.amazonaws.cn/en_us/aws/latest/userguide/cloudtrail.html
func Companions(rows []*Row, partition string) ([]string, bool) {
	var commercial []string
	for _, r := range Global(rows) {
		commercial = append(commercial, r.Arrives)
	}
	slices.Sort(commercial)
	commercial = slices.Compact(commercial)
	switch {
	case len(commercial) == 0:
		return nil, true
	case partition == "aws":
		return commercial, true
	case partition == "aws-us-gov":
		return []string{"us-gov-west-1"}, true
	case partition == "aws-cn":
		return []string{"cn-north-1", "cn-northwest-1"}, true
	}
	return nil, false
}

// Global returns the rows whose events arrive in one region only.
func Global(rows []*Row) []*Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *Row) bool { return r.Arrives == "" })
}
