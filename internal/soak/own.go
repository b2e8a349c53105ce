package soak

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// own are the services' own tag calls, each in its form.
func (w *World) own(a ask) reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.service == "s3" && !strings.HasPrefix(a.path, "/v20180820/") {
		return w.bucket(a)
	}
	r := w.lookup(a, a.named())
	if r == nil || r.account != a.account {
		k := slices.IndexFunc(kinds(), func(k kind) bool { return k.service == a.service })
		if k < 0 {
			return a.refuse(400, "UnknownOperationException")
		}
		return a.refuse(400, kinds()[k].missing)
	}
	if a.op == "DescribeKey" {
		return answer(map[string]any{"KeyMetadata": map[string]any{"KeyManager": "CUSTOMER", "KeyState": "Enabled"}})
	}
	if reads := !strings.HasPrefix(a.op, "Tag") && a.op != "AddTagsToResource"; reads {
		if status, code := w.standing(r, r.kind); code != "" && code != r.busy && code != r.invalid {
			return a.refuse(status, code)
		}
		return a.list(r.tags)
	}
	if status, code := w.put(r, a.tags()); code != "" {
		return a.refuse(status, code)
	}
	if a.form != nil {
		return reply{200, nil, "<" + a.op + "Response/>"}
	}
	return answer(map[string]any{})
}

// bucket are S3's calls about a bucket's tags and rules.
func (w *World) bucket(a ask) reply {
	r := w.lookup(a, "arn:aws:s3:::"+strings.Trim(a.path, "/"))
	if r == nil || r.region != a.region {
		return a.refuse(404, "NoSuchBucket")
	}
	if status, code := w.standing(r, r.kind); code != "" && code != r.busy && code != r.invalid {
		return a.refuse(status, code)
	}
	switch {
	case a.method == "GET" && strings.HasPrefix(a.query, "tagging"):
		if len(r.tags) == 0 {
			return a.refuse(404, "NoSuchTagSet")
		}
		var b strings.Builder
		for k, v := range r.tags {
			fmt.Fprintf(&b, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", html.EscapeString(k), html.EscapeString(v))
		}
		return reply{200, nil, "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"}
	case a.method == "PUT" && strings.HasPrefix(a.query, "tagging"):
		status, code := w.replace(r, parseS3(a.body))
		if code != "" {
			return a.refuse(status, code)
		}
		return reply{204, nil, ""}
	case a.method == "GET" && strings.HasPrefix(a.query, "cors"):
		return a.refuse(404, "NoSuchCORSConfiguration")
	case a.method == "PUT" && strings.HasPrefix(a.query, "cors"):
		return reply{200, nil, ""}
	}
	return a.refuse(405, "MethodNotAllowed")
}

// named is what a call names its resource by.
func (a ask) named() string {
	for _, field := range []string{"ResourceArn", "resourceArn", "KeyId", "SecretId"} {
		if name, ok := a.json[field].(string); ok {
			return name
		}
	}
	for _, field := range []string{"ResourceArn", "ResourceName", "RoleName"} {
		if name := a.form.Get(field); name != "" {
			return name
		}
	}
	if url, ok := a.json["QueueUrl"].(string); ok {
		parts := strings.Split(url, "/")
		return "arn:aws:sqs:" + a.region + ":" + parts[len(parts)-2] + ":" + parts[len(parts)-1]
	}
	if i := strings.Index(a.path, "arn:"); i >= 0 {
		return a.path[i:]
	}
	return a.path[strings.LastIndexByte(a.path, '/')+1:]
}

// tags are those that a call writes.
func (a ask) tags() map[string]string {
	switch {
	case a.service == "s3":
		return parseS3(a.body)
	case a.form != nil:
		tags, prefix := map[string]string{}, "Tags.member."
		if a.service == "rds" {
			prefix = "Tags.Tag."
		}
		for i := 1; a.form.Get(fmt.Sprint(prefix, i, ".Key")) != ""; i++ {
			tags[a.form.Get(fmt.Sprint(prefix, i, ".Key"))] = a.form.Get(fmt.Sprint(prefix, i, ".Value"))
		}
		return tags
	}
	for _, field := range []string{"Tags", "tags"} {
		if v, ok := a.json[field]; ok {
			return tagsOf(v)
		}
	}
	return nil
}

// list is the answer of a call that reads tags.
func (a ask) list(tags map[string]string) reply {
	switch a.service {
	case "sns", "rds", "iam":
		list, item := "Tags", "member"
		if a.service == "rds" {
			list, item = "TagList", "Tag"
		}
		var b strings.Builder
		for k, v := range tags {
			fmt.Fprintf(&b, "<%[1]s><Key>%[2]s</Key><Value>%[3]s</Value></%[1]s>", item, html.EscapeString(k), html.EscapeString(v))
		}
		return reply{200, nil, fmt.Sprintf("<%[1]sResponse><%[1]sResult><%[2]s>%[3]s</%[2]s></%[1]sResult></%[1]sResponse>", a.op, list, b.String())}
	case "logs":
		return answer(map[string]any{"tags": tags})
	case "lambda", "sqs":
		return answer(map[string]any{"Tags": tags})
	case "kms":
		return answer(map[string]any{"Tags": pairs(tags, "TagKey", "TagValue")})
	case "ecr":
		return answer(map[string]any{"tags": pairs(tags, "Key", "Value")})
	case "states":
		return answer(map[string]any{"tags": pairs(tags, "key", "value")})
	}
	return answer(map[string]any{"Tags": pairs(tags, "Key", "Value")})
}
