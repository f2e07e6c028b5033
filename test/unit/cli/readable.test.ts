import { describe, expect, test } from 'bun:test'
import { readable } from '../../../src/cli/remote/fire.ts'

describe('readable', () => {
  test('shows the text of a mail', () => {
    const html = `<!doctype html>
<html><head><title>T</title><style>a{b:c}</style></head><body><div style="display:none;x:y">hidden</div>
<!--[if mso]><table><tr><![endif]--><p class="a">What went
wrong</p><table><tr><td>Task</td><td>A &amp; B &#x27;c&#39; 1 &lt; 2&nbsp;&zwnj;</td></tr></table>one<br>two</body></html>`
    expect(readable(html)).toBe("What went wrong\nTask\nA & B 'c' 1 < 2 &zwnj;\none\ntwo")
  })

  test.each(['', '{"a": "<p>"}', 'a < b\n\n  c', '<p>part</p>'])('leaves %j alone', (body) => {
    expect(readable(body)).toBe(body)
  })

  test('control characters do not come out of it', () => {
    expect(readable('<html>a&#27;[31m&#x0;&#9999999999;b</html>')).toBe('a[31mb')
  })
})
