package apply

import (
	"context"
	"encoding/json"
	"strings"

	"autotagger/internal/awsapi"
)

// kmsCalls are KMS's: the text is as in a data file.
const kmsCalls = `client: kms
id: KMS
protocol: json-1.1 TrentService
write: TagResource KeyId={arn} Tags=[TagKey,TagValue]
read: ListResourceTags KeyId={arn} Marker={next} -> Tags=[TagKey,TagValue] NextMarker={next}`

// customerKey lets only keys through that may be tagged. Aliases have no tags,
// and those of AWS's own keys start with alias/aws/
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html).
func customerKey(c *awsapi.Caller, t target) (place, error) {
	switch {
	case strings.Contains(t.arn, ":alias/aws/"):
		return place{}, skip(WhyManagedKey)
	case !strings.Contains(t.arn, ":key/"):
		return place{}, bad(WhyBadARN)
	}
	return placeOf(c, t)
}

// kmsStore is KMS's own store with one thing more: a refusal is explained by
// what the key is. An AWS managed key and one that is being deleted can't be
// tagged by anyone, so that neither another policy nor another try would help
// (https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html).
type kmsStore struct{ ownStore }

func (s kmsStore) read(ctx context.Context, ts []target) []found {
	out := s.ownStore.read(ctx, ts)
	for i := range out {
		out[i].err = s.explain(ctx, ts[i], out[i].err)
	}
	return out
}

func (s kmsStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := s.ownStore.write(ctx, ts, tags)
	for i := range errs {
		errs[i] = s.explain(ctx, ts[i], errs[i])
	}
	return errs
}

// explain looks at the key where a refusal may come from what it is. It asks
// only then: most keys are new and customer managed.
func (s kmsStore) explain(ctx context.Context, t target, err error) error {
	switch awsapi.Code(err) {
	case "AccessDeniedException", "AccessDenied", "KMSInvalidStateException", "UnsupportedOperationException":
	default:
		return err
	}
	body, derr := s.c.Do(ctx, awsapi.Call{
		Service: &s.row.Service, Op: "DescribeKey", Account: t.account, Region: t.region, ARN: t.arn,
		Fields: map[string]any{"KeyId": t.arn},
	})
	if derr != nil {
		return err // the first refusal says more than that of the second look
	}
	var key struct {
		KeyMetadata struct{ KeyManager, KeyState string }
	}
	if json.Unmarshal(body, &key) != nil {
		return err
	}
	switch {
	case key.KeyMetadata.KeyManager == "AWS":
		return skip(WhyManagedKey)
	case key.KeyMetadata.KeyState == "PendingDeletion", key.KeyMetadata.KeyState == "PendingReplicaDeletion":
		return skip(WhyKeyState)
	}
	return err
}
