/** Building blocks of configuration sections: see the files for their conventions. */
export * from './fields/basic.ts'
export * from './fields/network.ts'
export * from './fields/selectors.ts'
export * from './fields/time.ts'
export * from './fields/time.ts'
