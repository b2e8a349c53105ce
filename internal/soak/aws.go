package soak

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"autotagger/internal/function"
)

// ask is a call as AWS sees it.
type ask struct {
	account, region, service, op string
	method, path, query          string
	json                         map[string]any
	form                         url.Values
	body                         []byte
}

// reply is what it answers.
type reply struct {
	status int
	header map[string]string
	body   string
}

// hub is the account that the function is in.
const hub = "000011112222"

// read reads a request: who signed it for what, and what it asks.
func readAsk(r *http.Request) (ask, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ask{}, err
	}
	a := ask{method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, body: body, account: hub}
	// Credential=key/date/region/service/aws4_request
	if _, scope, found := strings.Cut(r.Header.Get("Authorization"), "Credential="); found {
		parts := strings.Split(scope, "/")
		a.region, a.service = parts[2], parts[3]
		if account, assumed := strings.CutPrefix(parts[0], "ASIA"); assumed {
			a.account = account
		}
	}
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		target := r.Header.Get("X-Amz-Target")
		a.op = target[strings.LastIndexByte(target, '.')+1:]
		err = json.Unmarshal(body, &a.json)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		a.form, err = url.ParseQuery(string(body))
		a.op = a.form.Get("Action")
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		err = json.Unmarshal(body, &a.json)
		fallthrough
	default:
		a.op = a.method + " " + a.query
		if a.service != "s3" || strings.HasPrefix(a.path, "/v20180820/") {
			a.op = map[string]string{"GET": "ListTags", "POST": "TagResource"}[a.method]
		}
	}
	return a, err
}

// refuse is an error in the form of the call's protocol.
func (a ask) refuse(status int, code string) reply {
	switch {
	case a.service == "s3":
		return reply{status, nil, "<Error><Code>" + code + "</Code><Message>by the harness</Message></Error>"}
	case a.service == "ec2":
		return reply{status, nil, "<Response><Errors><Error><Code>" + code + "</Code><Message>by the harness</Message></Error></Errors></Response>"}
	case a.form != nil:
		return reply{status, nil, "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>by the harness</Message></Error></ErrorResponse>"}
	case a.service == "lambda" || a.service == "elasticfilesystem":
		return reply{status, map[string]string{"X-Amzn-Errortype": code + ":http://internal.amazon.com/"}, `{"Message":"by the harness"}`}
	}
	return reply{status, nil, `{"__type":"com.amazonaws.x#` + code + `","message":"by the harness"}`}
}

func answer(v any) reply {
	b, err := json.Marshal(v)
	if err != nil {
		return reply{500, nil, err.Error()}
	}
	return reply{200, nil, string(b)}
}

// fault is what goes wrong with a call by chance.
type fault string

const (
	none      fault = ""
	throttled fault = "throttled"
	broken    fault = "broken"          // AWS's own trouble
	refused   fault = "reset"           // the connection ends before the call is done
	lost      fault = "answer lost"     // and after
	cut       fault = "answer cut"      // half an answer, its connection reset
	half      fault = "half an answer"  // that looks whole
	halting   fault = "delayed"         // for seconds
	endless   fault = "delayed forever" // longer than a function has
)

// chance draws the fault of a call. The key tells calls apart: the same call meets the
// same faults in the same order.
func (w *World) chance(a ask) (fault, string) {
	key := a.service + " " + a.op + " " + a.account + " " + a.region + " " + string(a.body) + a.path
	w.mu.Lock()
	w.seen[key]++
	n := w.seen[key]
	w.mu.Unlock()
	if !time.Now().Before(w.FaultsEnd) {
		return none, key
	}
	draw := w.Seed.draw("fault", key, n)
	key += fmt.Sprint(n)
	for _, f := range []struct {
		fault fault
		share float64
	}{{throttled, 0.05}, {broken, 0.03}, {refused, 0.02}, {lost, 0.01}, {cut, 0.005}, {half, 0.005}, {halting, 0.08}, {endless, 0.002}} {
		if draw -= f.share; draw < 0 {
			return f.fault, key
		}
	}
	return none, key
}

// ServeHTTP is every endpoint of AWS.
func (w *World) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	a, err := readAsk(r)
	if err != nil {
		a.op = "unreadable"
	}
	f, key := w.chance(a)
	w.mu.Lock()
	w.Counts[a.service+":"+a.op]++
	if f != none {
		w.Counts["fault: "+string(f)]++
	}
	w.mu.Unlock()
	time.Sleep(w.Latency)
	queued := a.service == "sqs" && strings.HasSuffix(a.op, "MessageBatch") || a.op == "ChangeMessageVisibilityBatch"
	switch f {
	case halting:
		most := 8 * time.Second
		if queued {
			most = 300 * time.Millisecond
		}
		time.Sleep(time.Duration(w.Seed.draw("halt", key) * float64(most) * w.Slowness))
	case endless:
		if !queued {
			time.Sleep(time.Duration(2 * float64(timeout) * w.Slowness))
		}
	case refused:
		reset(out)
		return
	case throttled:
		write(out, w.throttle(a, key))
		return
	case broken:
		write(out, a.refuse(500, pick(w.Seed, []string{"InternalFailure", "InternalServerError", "InternalError", "ServiceUnavailable"}, "broken", key)))
		return
	}
	answered := w.do(a)
	switch f {
	case lost, cut, half:
		if queued {
			w.excuse(a)
		}
	}
	switch f {
	case lost:
		reset(out)
	case cut:
		out.Header().Set("Content-Length", strconv.Itoa(len(answered.body)+1))
		write(out, answered)
		reset(out)
	case half:
		answered.body = answered.body[:len(answered.body)/2]
		write(out, answered)
	default:
		write(out, answered)
	}
}

// throttle is a refusal for the rate, in one of AWS's spellings.
func (w *World) throttle(a ask, key string) reply {
	switch {
	case a.service == "s3":
		return a.refuse(503, "SlowDown")
	case a.service == "ec2":
		return a.refuse(503, "RequestLimitExceeded")
	}
	code := pick(w.Seed, []string{"Throttling", "ThrottlingException", "TooManyRequestsException", "ThrottledException", "RequestLimitExceeded"}, "throttle", key)
	return a.refuse(pick(w.Seed, []int{400, 429}, "status", key), code)
}

func write(out http.ResponseWriter, r reply) {
	for k, v := range r.header {
		out.Header().Set(k, v)
	}
	out.WriteHeader(r.status)
	io.WriteString(out, r.body) // a client that is gone doesn't mind
}

// reset ends a connection without a word.
func reset(out http.ResponseWriter) {
	c := http.NewResponseController(out)
	c.Flush() // what is there of the answer
	if conn, _, err := c.Hijack(); err == nil {
		conn.Close()
		return
	}
	panic(http.ErrAbortHandler)
}

// do does what a call asks for.
func (w *World) do(a ask) reply {
	switch a.service {
	case "sts":
		return w.assume(a)
	case "cloudtrail":
		return w.lookUp(a)
	case "tagging":
		if a.op == "GetResources" {
			return w.getResources(a)
		}
		return w.tagResources(a)
	case "sqs":
		switch a.op {
		case "ChangeMessageVisibilityBatch", "SendMessageBatch":
			return w.queue(a)
		}
	case "ec2":
		return w.ec2(a)
	}
	return w.own(a)
}

// limit is a bucket of tokens; it reports whether one is left.
func (w *World) limit(key string, rate float64) bool {
	if w.Unlimited {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	full := w.rates[key]
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > time.Second {
		w.Counts["over the rate: "+key]++
		return false
	}
	w.rates[key] = full.Add(time.Duration(float64(time.Second) / rate))
	return true
}

func (w *World) closed(account, region, service string) bool {
	return slices.ContainsFunc(w.closures, func(c closure) bool { return c.holds(account, region, service, time.Now()) })
}

// assume gives the credentials of a role in an account.
func (w *World) assume(a ask) reply {
	account := strings.Split(a.form.Get("RoleArn")+"::::", ":")[4]
	if w.barred[account] || w.closed(account, a.region, "sts") {
		w.denyAll(account)
		return a.refuse(403, "AccessDenied")
	}
	return reply{200, nil, "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>" + html.EscapeString(a.form.Get("RoleArn")) + "/autotagger</Arn><AssumedRoleId>AROA:autotagger</AssumedRoleId></AssumedRoleUser>" +
		"<Credentials><AccessKeyId>ASIA" + account + "</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>" +
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"}
}

// denyAll remembers that an account was closed to its resources.
func (w *World) denyAll(account string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.all {
		if r.account == account {
			r.denials = append(r.denials, time.Now())
		}
	}
}

// lookUp is CloudTrail's history: two calls a second, and events of fifteen minutes
// ago.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (w *World) lookUp(a ask) reply {
	if !w.limit("cloudtrail "+a.account+" "+a.region, 2) {
		return a.refuse(400, "ThrottlingException")
	}
	attribute := a.json["LookupAttributes"].([]any)[0].(map[string]any)
	is := func(e recorded) bool {
		if attribute["AttributeKey"] == "EventName" {
			return e.name == attribute["AttributeValue"]
		}
		return e.resource == attribute["AttributeValue"]
	}
	since := time.Unix(int64(a.json["StartTime"].(float64)), 0)
	w.mu.Lock()
	var found []any
	for _, e := range slices.Backward(w.trail) {
		if e.account == a.account && e.region == a.region && is(e) && !e.at.Before(since) && !e.at.After(time.Now().Add(-15*time.Minute)) {
			found = append(found, map[string]any{"EventId": e.id, "EventSource": e.source, "EventName": e.name, "EventTime": e.at.Unix(), "CloudTrailEvent": e.record})
		}
	}
	w.mu.Unlock()
	from := 0
	if token, ok := a.json["NextToken"].(string); ok {
		from, _ = strconv.Atoi(token)
	}
	to := min(len(found), from+50)
	out := map[string]any{"Events": found[min(from, to):to]}
	if to < len(found) {
		out["NextToken"] = strconv.Itoa(to)
	}
	return answer(out)
}

// queue is SQS, for the function's own queues: ten entries a call.
func (w *World) queue(a ask) reply {
	entries, _ := a.json["Entries"].([]any)
	if len(entries) == 0 || len(entries) > 10 {
		return a.refuse(400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
	}
	sent, failed := []any{}, []any{}
	for _, v := range entries {
		e := v.(map[string]any)
		code := ""
		switch {
		case time.Now().Before(w.FaultsEnd) && w.Seed.draw("entry", e["Id"], e["ReceiptHandle"], e["MessageBody"], time.Now()) < 0.01:
			code = "InternalError"
		case a.op == "SendMessageBatch":
			l := letter{body: e["MessageBody"].(string)}
			denied := ""
			attributes, _ := e["MessageAttributes"].(map[string]any)
			for name, to := range map[string]*string{function.AttributeReason: &l.reason, function.AttributeError: &l.cause, function.AttributeDenied: &denied} {
				if v, ok := attributes[name].(map[string]any); ok {
					*to, _ = v["StringValue"].(string)
				}
			}
			if url, _ := a.json["QueueUrl"].(string); strings.HasSuffix(url, "-dead-letters") {
				w.Queue.keep(l)
				break
			}
			seconds, _ := e["DelaySeconds"].(float64)
			code = w.Queue.renew(l.body, denied, int(seconds))
		default:
			code = w.Queue.hide(e["ReceiptHandle"].(string), int(e["VisibilityTimeout"].(float64)))
		}
		if code != "" {
			failed = append(failed, map[string]any{"Id": e["Id"], "Code": code, "SenderFault": false, "Message": "by the harness"})
			continue
		}
		sent = append(sent, map[string]any{"Id": e["Id"], "MessageId": "x"})
	}
	return answer(map[string]any{"Successful": sent, "Failed": failed})
}

// excuse is for the messages whose letters' arrival isn't answered.
func (w *World) excuse(a ask) {
	var bodies, receipts []string
	entries, _ := a.json["Entries"].([]any)
	for _, v := range entries {
		e := v.(map[string]any)
		if body, ok := e["MessageBody"].(string); ok {
			bodies = append(bodies, body)
		}
		if receipt, ok := e["ReceiptHandle"].(string); ok {
			receipts = append(receipts, receipt)
		}
	}
	w.Queue.excuse(bodies, receipts)
}

// standing is what AWS makes of a call about a resource, as a code: "" if it is done.
func (w *World) standing(r *resource, k *kind) (status int, code string) {
	now := time.Now()
	switch {
	case r == nil || now.Before(r.visible) || !r.gone.IsZero() && !now.Before(r.gone):
		return pick(w.Seed, []int{400, 404}, "missing", k.service), k.missing
	case r.destiny == guarded || w.closed(r.account, r.region, r.service):
		r.denials = append(r.denials, now)
		return 403, pick(w.Seed, []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}, "denied", k.service)
	case r.destiny == cursed:
		return 400, k.invalid
	case now.Before(r.ready):
		return 400, k.busy
	}
	return 200, ""
}

// put adds tags to a resource.
func (w *World) put(r *resource, tags map[string]string) (status int, code string) {
	now := maps.Clone(r.tags)
	maps.Copy(now, tags)
	return w.replace(r, now)
}

// replace gives a resource other tags.
func (w *World) replace(r *resource, tags map[string]string) (status int, code string) {
	if status, code = w.standing(r, r.kind); code != "" {
		return status, code
	}
	if len(tags) > 50 {
		return 400, r.full
	}
	before := r.tags
	r.tags = tags
	r.history = append(r.history, snapshot{time.Now(), tags})
	if creator, ok := tags["creator"]; ok && creator != before["creator"] {
		r.written = append(r.written, creator)
	}
	return 200, ""
}

// indexed is what the tagging API knows of a resource: what its tags were a while
// ago, nothing if it never had one.
func (r *resource) indexed() map[string]string {
	var known map[string]string
	for _, s := range r.history {
		if !s.at.Add(r.lag).After(time.Now()) {
			known = s.tags
		}
	}
	return known
}

// getResources lists tags of up to a hundred ARNs.
// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
func (w *World) getResources(a ask) reply {
	if !w.limit("reads "+a.account+" "+a.region, 15) {
		return a.refuse(400, "ThrottlingException")
	}
	arns := texts(a.json["ResourceARNList"])
	if len(arns) > 100 || len(arns) == 0 {
		return a.refuse(400, "InvalidParameterException")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed(a.account, a.region, "tagging") {
		w.deny(arns)
		return a.refuse(400, "AccessDeniedException")
	}
	list := []any{}
	for _, arn := range arns {
		r := w.lookup(a, arn)
		if r == nil || r.account != a.account || r.region != a.region || r.indexed() == nil {
			continue
		}
		list = append(list, map[string]any{"ResourceARN": arn, "Tags": pairs(r.indexed(), "Key", "Value")})
	}
	return answer(map[string]any{"PaginationToken": "", "ResourceTagMappingList": list})
}

func (w *World) deny(arns []string) {
	for _, arn := range arns {
		if r := w.lookup(ask{}, arn); r != nil {
			r.denials = append(r.denials, time.Now())
		}
	}
}

// tagResources tags up to twenty.
// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_TagResources.html
func (w *World) tagResources(a ask) reply {
	if !w.limit("writes "+a.account+" "+a.region, 5) {
		return a.refuse(400, "ThrottlingException")
	}
	arns := texts(a.json["ResourceARNList"])
	if len(arns) > 20 || len(arns) == 0 {
		return a.refuse(400, "InvalidParameterException")
	}
	tags := tagsOf(a.json["Tags"])
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed(a.account, a.region, "tagging") {
		w.deny(arns)
		return a.refuse(400, "AccessDeniedException")
	}
	failed := map[string]any{}
	for _, arn := range arns {
		r := w.lookup(a, arn)
		if r == nil || r.account != a.account || r.region != a.region {
			return a.refuse(400, "InvalidParameterException")
		}
		if _, code := w.standing(r, r.kind); code == r.missing && r.spoils {
			return a.refuse(400, "InvalidParameterException")
		}
	}
	for _, arn := range arns {
		r := w.lookup(a, arn)
		status, code := 0, ""
		if now := time.Now(); now.Before(w.FaultsEnd) && w.Seed.draw("single", arn, now) < 0.02 {
			code = pick(w.Seed, []string{"ThrottlingException", "InternalServiceException", "InternalFailure", "Throttling"}, "single code", arn, now)
			status = map[bool]int{true: 400, false: 500}[strings.HasPrefix(code, "T")]
			w.Counts["fault: single "+code]++
		} else {
			status, code = w.put(r, tags)
		}
		if code != "" {
			failed[arn] = map[string]any{"StatusCode": status, "ErrorCode": code, "ErrorMessage": "by the harness"}
		}
	}
	return answer(map[string]any{"FailedResourcesMap": failed})
}

// ec2 tags ids, all or none.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
func (w *World) ec2(a ask) reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.op == "DescribeTags" {
		var b strings.Builder
		if w.closed(a.account, a.region, "ec2") {
			for i := 1; a.form.Get("Filter.1.Value."+strconv.Itoa(i)) != ""; i++ {
				if r := w.lookup(a, a.form.Get("Filter.1.Value."+strconv.Itoa(i))); r != nil {
					r.denials = append(r.denials, time.Now())
				}
			}
			return a.refuse(403, "UnauthorizedOperation")
		}
		for i := 1; a.form.Get("Filter.1.Value."+strconv.Itoa(i)) != ""; i++ {
			id := a.form.Get("Filter.1.Value." + strconv.Itoa(i))
			r := w.lookup(a, id)
			if r == nil || time.Now().Before(r.visible) {
				continue
			}
			for k, v := range r.tags {
				fmt.Fprintf(&b, "<item><resourceId>%s</resourceId><key>%s</key><value>%s</value></item>", id, html.EscapeString(k), html.EscapeString(v))
			}
		}
		return reply{200, nil, "<DescribeTagsResponse><tagSet>" + b.String() + "</tagSet></DescribeTagsResponse>"}
	}
	tags := map[string]string{}
	for i := 1; a.form.Get(fmt.Sprintf("Tag.%d.Key", i)) != ""; i++ {
		tags[a.form.Get(fmt.Sprintf("Tag.%d.Key", i))] = a.form.Get(fmt.Sprintf("Tag.%d.Value", i))
	}
	var of []*resource
	volumes := &kind{service: "ec2", missing: "InvalidVolume.NotFound"}
	for i := 1; a.form.Get("ResourceId."+strconv.Itoa(i)) != ""; i++ {
		r := w.lookup(a, a.form.Get("ResourceId."+strconv.Itoa(i)))
		k := volumes
		if r != nil {
			k = r.kind
		}
		if status, code := w.standing(r, k); code != "" {
			return a.refuse(status, code)
		}
		if len(r.tags) >= 50 && r.tags["creator"] == "" {
			return a.refuse(400, r.full)
		}
		of = append(of, r)
	}
	for _, r := range of {
		w.put(r, tags)
	}
	return reply{200, nil, "<CreateTagsResponse><return>true</return></CreateTagsResponse>"}
}

// lookup finds a resource by what a call names it by.
func (w *World) lookup(a ask, name string) *resource {
	if strings.HasPrefix(name, "arn:") {
		if r := w.by[name]; r != nil {
			return r
		}
		parts := strings.SplitN(name, ":", 6)
		return w.by[parts[2]+" "+parts[4]+" "+parts[3]+" "+parts[5][strings.LastIndexByte(parts[5], '/')+1:]]
	}
	return w.by[a.service+" "+a.account+" "+a.region+" "+name]
}

func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, e := range list {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

// tagsOf are tags as a map or a list of pairs, whatever the members are called.
func tagsOf(v any) map[string]string {
	tags := map[string]string{}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			tags[k], _ = e.(string)
		}
	case []any:
		for _, e := range v {
			key, value := "", ""
			m, _ := e.(map[string]any)
			for k, e := range m {
				if s, _ := e.(string); strings.HasSuffix(strings.ToLower(k), "key") {
					key = s
				} else {
					value = s
				}
			}
			tags[key] = value
		}
	}
	return tags
}

func pairs(tags map[string]string, key, value string) []any {
	list := []any{}
	for k, v := range tags {
		list = append(list, map[string]string{key: k, value: v})
	}
	return list
}

// parseS3 reads the tags in S3's XML or S3 Control's.
func parseS3(body []byte) map[string]string {
	type tag struct{ Key, Value string }
	var in struct {
		Set     []tag `xml:"TagSet>Tag"`
		Control []tag `xml:"Tags>Tag"`
	}
	tags := map[string]string{}
	if xml.Unmarshal(body, &in) == nil {
		for _, t := range append(in.Set, in.Control...) {
			tags[t.Key] = t.Value
		}
	}
	return tags
}
