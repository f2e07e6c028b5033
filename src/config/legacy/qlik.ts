/** Older layouts of the connection to Qlik Sense. */
import { emptyMap, listOf, type MapNode, type TreeNode } from '../tree.ts'
import type { LegacyContext } from './context.ts'
import { nameValue } from './influxdb.ts'

/** `headers: {X-Qlik-User: v}` became a list. */
export function headerMappings(legacy: LegacyContext): void {
  for (const section of ['configEngine', 'configQRS']) {
    const headers = legacy.get(`${section}.headers`)
    if (headers?.kind !== 'map') continue
    const old = [...headers.entries].filter(([key, { node }]) => key !== 'static' && node.kind === 'scalar')
    for (const [key, entry] of old) {
      headers.entries.delete(key)
      legacy.deprecated(`${section}.headers.${key}`, '2.0–12.4', `${section}.headers.static`, entry.at)
      appendHeader(legacy, section, key, nameValue(key, entry.node))
    }
  }
}

/** `headerKey` and `headerValue` were one header. */
export function headerPair(legacy: LegacyContext): void {
  const [key, value] = ['configQRS.headerKey', 'configQRS.headerValue'].map((path) => {
    const node = legacy.get(path)
    return node && { at: legacy.place(path), node }
  })
  if (!key && !value) return
  legacy.deprecated('configQRS.headerKey', '2.0–12.4', 'configQRS.headers.static')
  legacy.drop('configQRS.headerKey')
  legacy.drop('configQRS.headerValue')
  if (key?.node.kind !== 'scalar' || typeof key.node.value !== 'string' || !value) return
  const item = emptyMap(key.at)
  item.entries.set('name', key)
  item.entries.set('value', value)
  appendHeader(legacy, 'configQRS', key.node.value, item)
}

function appendHeader(legacy: LegacyContext, section: string, name: string, item: MapNode): void {
  const existing = legacy.get(`${section}.headers.static`)
  const items = existing?.kind === 'list' ? existing.items : []
  if (items.some((one) => isNamed(one, name))) return
  legacy.set(`${section}.headers.static`, listOf([...items, item], item.at), item.at)
}

function isNamed(item: TreeNode, name: string): boolean {
  const node = item.kind === 'map' ? item.entries.get('name')?.node : undefined
  return node?.kind === 'scalar' && String(node.value).toLowerCase() === name.toLowerCase()
}

/** One switch for both connections. */
export function rejectUnauthorized(legacy: LegacyContext): void {
  const value = legacy.value('cert.rejectUnauthorized')
  if (typeof value !== 'boolean') return
  const at = legacy.place('cert.rejectUnauthorized')
  if (!legacy.has('configEngine.rejectUnauthorized')) legacy.setValue('configEngine.rejectUnauthorized', value, at)
  legacy.move('cert.rejectUnauthorized', 'configQRS.rejectUnauthorized', '6.0–6.1')
}

/** Ports and switches in quotes. */
export function quotedValues(legacy: LegacyContext): void {
  for (const path of ['configEngine.port', 'configQRS.port']) {
    const value = legacy.value(path)
    if (typeof value !== 'string' || !/^\d+$/.test(value.trim()) || isExternal(legacy.get(path))) continue
    legacy.older(path, `CONFIG DEPRECATED: 'Butler.${path}' is the text "${value}"; it is read as a number.`)
    legacy.setValue(path, Number(value), legacy.place(path))
  }
  const ssl = legacy.value('configEngine.useSSL')
  if ((ssl !== 'true' && ssl !== 'false') || isExternal(legacy.get('configEngine.useSSL'))) return
  legacy.older(
    'configEngine.useSSL',
    `CONFIG DEPRECATED: 'Butler.configEngine.useSSL' is the text "${ssl}"; it is read as ${ssl}.`,
  )
  legacy.setValue('configEngine.useSSL', ssl === 'true', legacy.place('configEngine.useSSL'))
}

/** Values of the environment are always texts; they are converted with all others. */
const isExternal = (node: TreeNode | undefined): boolean => node?.kind === 'scalar' && node.external === true
