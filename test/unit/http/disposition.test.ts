import { expect, test } from 'bun:test'
import { disposition } from '../../../src/http/endpoint/disposition.ts'

test.each([
  ['Sales pack.pdf', 'Sales%20pack.pdf'],
  ['Åre (1).xlsx', '%C3%85re%20%281%29.xlsx'],
  ['invoice\u202efdp.exe', 'invoice%20fdp.exe'],
  ['a\r\nSet-Cookie: x', 'a%20Set-Cookie%3A%20x'],
  ['half \ud83d', 'half%20%EF%BF%BD'],
])('%j', (name, shown) => {
  expect(disposition('attachment', name)).toBe(`attachment; filename*=UTF-8''${shown}`)
})
