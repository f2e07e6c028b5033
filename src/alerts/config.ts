/** Sections of alerts, one file per kind of destination. */
export * from './config-chat.ts'
export * from './config-delivery.ts'
export * from './config-destinations.ts'
export * from './config-email.ts'
export * from './config-incident.ts'
export * from './config-links.ts'
export * from './config-routes.ts'
export * from './config-webhook.ts'
