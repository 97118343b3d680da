import { pages } from "./page.mjs";

pages("firefox");
