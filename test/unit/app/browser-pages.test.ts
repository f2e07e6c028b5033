/** The addresses for browsers that the log names at the start. */
import { expect, test } from 'bun:test'
import { browserPages } from '../../../src/app/listeners.ts'
import { configOf, loadButler } from '../../support/config.ts'

const namesOf = async (footman: string) =>
  browserPages(await configOf(loadButler(`footman: ${footman}`))).map(({ name, publicUrl }) => [name, publicUrl])

test('the console is named unless it is switched off, with its address for other machines', async () => {
  expect(await namesOf('{}')).toEqual([['Console', '']])
  expect(await namesOf('{console: {publicUrl: "https://qs.acme.example/footman"}}')).toEqual([
    ['Console', 'https://qs.acme.example/footman'],
  ])
  expect(await namesOf('{console: {enable: false}}')).toEqual([])
})
