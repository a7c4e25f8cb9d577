import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the page beside a running `voiceworker up`, whose API it borrows.
const API = "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: {
    // One hashed script and one hashed style sheet: a page of `default-src 'self'` needs nothing else.
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: { "/v1": API } },
  test: {
    restoreMocks: true,
    setupFiles: ["src/testSetup.ts"],
  },
});
