import { pages } from "./page.mjs";

pages("chromium");
