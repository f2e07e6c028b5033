import { expect, test } from 'bun:test'
import { createPathTree } from '../../../src/http/path-tree.ts'

test('fixed segments win, parameters take what is left, and nothing else matches', () => {
  const tree = createPathTree<string>()
  for (const path of [
    '/v4/kv/{ns}',
    '/v4/kv/{ns}/exists',
    '/v4/kv/{ns}/{key}',
    '/v4/kv/',
    '/v4/app/x/dump',
    '/v4/app/{id}/dump',
  ]) {
    tree.add(path, path)
  }
  const found = (path: string) => {
    const match = tree.find(path)
    return match && [match.value, match.params]
  }
  expect(found('/v4/kv/a')).toEqual(['/v4/kv/{ns}', { ns: 'a' }])
  expect(found('/v4/kv/a/exists')).toEqual(['/v4/kv/{ns}/exists', { ns: 'a' }])
  expect(found('/v4/kv/a/b')).toEqual(['/v4/kv/{ns}/{key}', { ns: 'a', key: 'b' }])
  expect(found('/v4/kv/')).toEqual(['/v4/kv/', {}])
  expect(found('/v4/app/x/dump')).toEqual(['/v4/app/x/dump', {}])
  expect(found('/v4/app/y/dump')).toEqual(['/v4/app/{id}/dump', { id: 'y' }])
  for (const path of ['/v4/kv', '/v4/kv/a/', '/v4/kv//b', '/v4/kv/a/b/c', '/V4/kv/a', '/v4/app/x', '']) {
    expect(tree.find(path)).toBeNull()
  }
})

test('a way that begins fixed and leads nowhere is given up', () => {
  const tree = createPathTree<number>()
  tree.add('/a/b/c', 1)
  tree.add('/a/{x}/d', 2)
  expect(tree.find('/a/b/d')).toEqual({ value: 2, params: { x: 'b' } })
})
