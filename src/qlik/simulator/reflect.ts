// What @peculiar/x509 needs before it is loaded. A module of its own, because the bundler runs the CommonJS imports of a
// module after its ES imports.
import 'reflect-metadata'
