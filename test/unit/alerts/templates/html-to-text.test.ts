import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { htmlToText } from '../../../../src/alerts/templates/html-to-text.ts'

test.each([
  ['<h1>Title</h1><p>One\n  two</p>', 'Title\nOne two'],
  ['a<br>b<br/>c', 'a\nb\nc'],
  ['<a href="https://x/y?a=1&amp;b=2">QMC</a>', 'QMC (https://x/y?a=1&b=2)'],
  ["<a class='b' href='https://x'>https://x</a>", 'https://x'],
  ['<a href="https://x"><img src="y" alt="z>"></a>', 'https://x'],
  ['<table><tr><td>Task</td><td>Sales</td></tr><tr><td>Node</td><td>n1</td></tr></table>', 'Task  Sales\nNode  n1'],
  ['<pre>a  b\r\n\tc &lt;d&gt;</pre>after', 'a  b\n c <d>\nafter'],
  ['<head><title>t</title></head><style>p{color:red}</style><script>x()</script><!-- c -->text', 'text'],
  ['&#65;&#x42;&amp;lt;&nbsp;&unknown;', 'AB&lt; &unknown;'],
  ['<ul><li>one</li><li>two</li></ul>', '- one\n- two'],
  ['<p title="a > b">x</p>', 'x'],
  ['1 < 2 and 3 > 2', '1 < 2 and 3 > 2'],
  ['<BR class="x">a<hr size=1>b', 'a\nb'],
  ['a <!-- x --> b <!-- y', 'a b <!-- y'],
  ['<style>a', 'a'],
  ['<pre>a', 'a'],
  ['a <a href="https://x">b', 'a b'],
  ['<a name="x">b</a><a href="/y"> <b>c</b> <br></a >d', 'bc (/y)d'],
  ['<p title="a>x</p><b>y</b>', 'x\ny'],
  ['a <b and "c', 'a <b and "c'],
  ['<td>a</td>  <td>b</td><p>  c  </p>', 'a   b   c'],
])('%s', (html, text) => {
  expect(htmlToText(html)).toBe(text)
})

test('any text survives as plain text', () => {
  const written = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      const words = text.split(/\s+/).filter(Boolean)
      expect(htmlToText(`<p>${written(words.join(' '))}</p>`)).toBe(words.join(' '))
    }),
  )
})
