// Templates that ask for more time or memory than there is: an error after a moment, whatever way they take.

import { expect, it } from 'vitest';
import { outcome } from './host.ts';

it.each([
  '{{ repeat 1000000000000 "x" }}',
  '{{ repeat 9223372036854775807 "xxxx" }}',
  '{{ until 1000000000000 }}',
  '{{ untilStep -9223372036854775808 9223372036854775807 1 }}',
  '{{ seq 1 1000000000000 }}',
  '{{ range 1000000000000 }}{{ end }}',
  '{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}',
  '{{ $x := "x" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}',
  '{{ $x := "x" }}{{ range until 64 }}{{ $x = replace "x" "xx" $x }}{{ end }}',
  '{{ $x := "x" }}{{ range until 64 }}{{ $x = printf "%s%s" $x $x }}{{ end }}',
  '{{ $x := "x" }}{{ range until 64 }}{{ $x = list $x $x | join "" }}{{ end }}',
  '{{ $x := list 1 }}{{ range until 64 }}{{ $x = concat $x $x }}{{ end }}',
  '{{ $x := list 1 }}{{ range until 64 }}{{ $x = list $x $x }}{{ end }}{{ $x }}',
  '{{ $x := list 1 }}{{ range until 64 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}',
  '{{ $x := list 1 }}{{ range until 64 }}{{ $x = list $x $x }}{{ end }}{{ deepCopy $x }}',
  '{{ $x := list 1 }}{{ $y := list 1 }}{{ range until 64 }}{{ $x = list $x $x }}{{ $y = list $y $y }}{{ end }}{{ deepEqual $x $y }}',
  '{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ $x }}',
  '{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ toJson $x }}',
  '{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ deepCopy $x }}',
  '{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ deepEqual $x (dict "x" $x) }}{{ $x }}',
  '{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ $y := dict }}{{ $_ := set $y "x" $y }}{{ merge $x $y }}',
  '{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}',
  '{{ define "x" }}{{ template "x" }}{{ template "x" }}{{ end }}{{ template "x" }}',
  `{{ define "x" }}${'{{ if 1 }}'.repeat(150)}{{ template "x" }}${'{{ end }}'.repeat(150)}{{ end }}{{ template "x" }}`,
  '{{ printf "%9999999d" 1 | repeat 100 }}',
  '{{ range until 1000000 }}{{ printf "%1000000d" 1 }}{{ end }}',
  '{{ range until 1000000 }}{{ printf "%.1000000f" 1.5 }}{{ end }}',
  '{{ indent 100000000 "a\\nb" }}',
  '{{ $x := repeat 1000000 "\\n" }}{{ indent 1000000 $x }}',
  '{{ $x := repeat 100000 "a" }}{{ range until 100000 }}{{ $y := regexFind "(a?){200}a{200}" $x }}{{ end }}',
  '{{ wrapWith 1 (repeat 1000000 "x") (repeat 1000000 "a") }}',
  '{{ $l := until 100000 }}{{ uniq $l }}',
  '{{ range until 1000000 }}{{ bcrypt "x" }}{{ end }}',
  '{{ randAlphaNum 1000000000000 }}',
  '{{ randBytes 1000000000000 }}',
  '{{ splitList "" (repeat 10000000 "x") | toJson | splitList "" | toJson | splitList "" | toJson }}',
  `{{ fromJson (printf "%s%s" (repeat 1000000 "[") (repeat 1000000 "]")) | toJson | fail }}`,
  '{{ range $i, $_ := until 100 }}{{ getHostByName (printf "known%d" $i) }}{{ end }}',
])('%s', async (text) => {
  expect(await outcome(text)).toMatch(/^1:\d+: /);
});
