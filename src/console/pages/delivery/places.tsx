/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The lists of the place *Delivery*. */
import type { PageContext } from '../../page.ts'
import { Choice } from '../../ui/panel.tsx'

const LISTS = [
  ['/deliveries', 'Deliveries'],
  ['/destinations', 'Destinations'],
  ['/snoozes', 'Snoozes'],
  ['/system/routes', 'Rules'],
] as const

export const Places = ({ context }: { readonly context: PageContext }) => (
  <Choice
    label="Lists"
    options={LISTS.map(([path, text]) => ({ text, href: context.link(path), chosen: context.path === path }))}
  />
)
